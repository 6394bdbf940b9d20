#include "core/coap/client_security.h"

#include <openssl/ssl.h>

#include <string>

#include "core/coap/pdu.h"

namespace aiot::coap {
namespace {

coap_bin_const_t binary(const std::string& text) { return {text.size(), bytes(text)}; }

/// Of the session that is being made: DTLS says hello before libcoap returns it.
thread_local tls::ClientContext* beginning = nullptr;
void (*libcoap_informed)(const SSL* ssl, int where, int code) = nullptr;

/// In place of libcoap's own callback. Its clients have no other moment between the making of a connection
/// and its hello; what libcoap has set by then is put right here.
void informed(const SSL* ssl, int where, int code) noexcept {
  const auto* const session = static_cast<coap_session_t*>(SSL_get_app_data(ssl));
  if ((where & SSL_CB_HANDSHAKE_START) != 0) {
    auto* own = session != nullptr ? tls_of(session) : nullptr;
    if (own == nullptr) own = beginning;
    // Should it fail, nobody is trusted: libcoap has been given no authorities.
    if (own != nullptr) (void)own->equip(const_cast<SSL*>(ssl));
    // A stream is connected by then.
    if (session != nullptr && SSL_is_dtls(ssl) == 0) note_handshake(session);
  } else if (session != nullptr && (where & SSL_CB_LOOP) != 0 && SSL_get_state(ssl) != TLS_ST_BEFORE &&
             SSL_get_state(ssl) != TLS_ST_CW_CLNT_HELLO) {
    note_handshake(session);
  } else if (session != nullptr && (where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT &&
             code >> 8 == SSL3_AL_FATAL) {
    note_alert(session, SSL_alert_desc_string_long(code));
  }
  tls::ClientContext::informed(ssl, where, code);
  if (libcoap_informed != nullptr) libcoap_informed(ssl, where, code);
}

}  // namespace

void secure_clients(const SecureContexts& contexts) {
  for (auto* const context : {contexts.dtls, contexts.tls}) {
    if (context == nullptr) continue;
    if (auto* const theirs = SSL_CTX_get_info_callback(context); theirs != informed)
      libcoap_informed = theirs;
    SSL_CTX_set_info_callback(context, informed);
  }
  if (contexts.tls != nullptr) SSL_CTX_set_min_proto_version(contexts.tls, TLS1_2_VERSION);
}

coap_session_t* new_secure_session(coap_context_t* context, const coap_address_t* local,
                                   const coap_address_t& remote, bool tcp, const ClientSecurity& security,
                                   tls::ClientContext* tls) {
  const auto proto = tcp ? COAP_PROTO_TLS : COAP_PROTO_DTLS;
  if (tls == nullptr) {
    coap_dtls_cpsk_t setup{};
    setup.version = COAP_DTLS_CPSK_SETUP_VERSION;
    setup.psk_info = {binary(security.psk_identity), binary(security.psk_key)};
    return coap_new_client_session_psk2(context, local, &remote, proto, &setup);
  }
  coap_dtls_pki_t setup{};
  setup.version = COAP_DTLS_PKI_SETUP_VERSION;
  setup.verify_peer_cert = 1;
  setup.cert_chain_validation = 1;
  setup.cert_chain_verify_depth = 10;
  setup.pki_key.key_type = COAP_PKI_KEY_PEM;
  beginning = tls;
  auto* const session = coap_new_client_session_pki(context, local, &remote, proto, &setup);
  beginning = nullptr;
  return session;
}

}  // namespace aiot::coap
