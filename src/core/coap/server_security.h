#pragma once

#include <string>

#include "core/coap/context.h"

namespace aiot::tls {
class ListenerSecurity;
}

/// Inside the room only: server sessions on DTLS and TLS.
namespace aiot::coap {

/// Makes the listeners of a context take whom `security`, which must outlive it, lets in. False when libcoap
/// is built without TLS.
bool secure_listeners(coap_context_t* context, const SecureContexts& contexts,
                      tls::ListenerSecurity& security);

/// Who the session's peer has proved to be: "psk:IDENTITY", or "cert:" and the subject of its certificate
/// (RFC 4514); empty before the handshake is done.
[[nodiscard]] std::string identity_of(const coap_session_t* session);

/// Whether `security` would let in the session's peer, which has been let in, again.
[[nodiscard]] bool lets_in(const tls::ListenerSecurity& security, const coap_session_t* session);

}  // namespace aiot::coap
