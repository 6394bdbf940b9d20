#pragma once

#include <memory>

#include "core/coap/coap_client.h"
#include "core/coap/context.h"
#include "core/tls/client_context.h"

/// Inside the room only: client sessions on DTLS and TLS.
namespace aiot::coap {

/// Makes the client sessions of a context check and show what their tls::ClientContext says.
void secure_clients(const SecureContexts& contexts);

/// A session to `remote`, secured with the key of `security` or, when it has none, by what `tls` holds (which
/// must outlive the session). Null with errno when there is none to be had. Contexts for keys and for
/// certificates must not be mixed: libcoap keeps both with the context.
[[nodiscard]] coap_session_t* new_secure_session(coap_context_t* context, const coap_address_t* local,
                                                 const coap_address_t& remote, bool tcp,
                                                 const ClientSecurity& security, tls::ClientContext* tls);

/// The one that a client's session has been given; null for none.
[[nodiscard]] tls::ClientContext* tls_of(const coap_session_t* session);

/// The peer of a client's session has answered the first message of a handshake: from then on, that the
/// connection does not come about is a matter of trust.
void note_handshake(const coap_session_t* session);
/// The peer ends the handshake, and says why.
void note_alert(const coap_session_t* session, const char* why);

}  // namespace aiot::coap
