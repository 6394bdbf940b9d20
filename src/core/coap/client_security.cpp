#include "core/coap/client_security.h"

#include <openssl/ssl.h>

#include <string>

#include "core/coap/pdu.h"

namespace aiot::coap {
namespace {

coap_bin_const_t binary(const std::string& text) { return {text.size(), bytes(text)}; }

/// libcoap has made its SSL and asks whether there is something to add. What stands in the setup is the
/// context's last, perhaps another session's: on TCP it asks only once it is connected.
int equip(void* ssl, coap_dtls_pki_t* setup) {
  auto* const connection = static_cast<SSL*>(ssl);
  auto* const session = static_cast<coap_session_t*>(SSL_get_app_data(connection));
  auto* own = session != nullptr ? tls_of(session) : nullptr;
  if (own == nullptr) own = static_cast<tls::ClientContext*>(setup->cn_call_back_arg);
  return own != nullptr && own->equip(connection) ? 1 : 0;
}

}  // namespace

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
  setup.cn_call_back_arg = tls;
  setup.additional_tls_setup_call_back = equip;
  setup.pki_key.key_type = COAP_PKI_KEY_PEM;
  return coap_new_client_session_pki(context, local, &remote, proto, &setup);
}

bool handshake_under_way(const coap_session_t* session) {
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  const auto* ssl = static_cast<const SSL*>(coap_session_get_tls(session, &library));
  if (ssl == nullptr || library != COAP_TLS_LIBRARY_OPENSSL || SSL_is_init_finished(ssl) == 1) return false;
  switch (SSL_get_state(ssl)) {
    case TLS_ST_BEFORE:
    case TLS_ST_CW_CLNT_HELLO: return false;
    default: return true;
  }
}

}  // namespace aiot::coap
