#include "core/coap/server_security.h"

#include <openssl/ssl.h>

#include <array>
#include <string_view>

#include "core/base/random.h"
#include "core/coap/pdu.h"
#include "core/tls/listener_security.h"

namespace aiot::coap {
namespace {

/// What RFC 7925 section 4.2 has constrained nodes speak, and better where they can.
constexpr const char* kPskCiphers = "kECDHEPSK+CHACHA20:kPSK+AESGCM:kPSK+AESCCM";

const coap_bin_const_t* key_of(coap_bin_const_t* identity, coap_session_t*, void* argument) noexcept {
  // libcoap copies what it is given before it asks again.
  thread_local coap_bin_const_t key;
  const auto* const security = static_cast<tls::ListenerSecurity*>(argument);
  const auto* const found = security->key({reinterpret_cast<const char*>(identity->s), identity->length});
  if (found == nullptr) return nullptr;
  key = {found->size(), bytes(*found)};
  return &key;
}

/// Null before its handshake is done.
const SSL* connection_of(const coap_session_t* session) {
  coap_tls_library_t library = COAP_TLS_LIBRARY_NOTLS;
  const auto* const ssl = static_cast<const SSL*>(coap_session_get_tls(session, &library));
  const bool open = ssl != nullptr && library == COAP_TLS_LIBRARY_OPENSSL && SSL_is_init_finished(ssl) == 1;
  return open ? ssl : nullptr;
}

/// libcoap has read a hello, and asks for what is to be added to its connection.
int equip(void* ssl, coap_dtls_pki_t* setup) noexcept {
  auto* const connection = static_cast<SSL*>(ssl);
  // It wants the peer's certificate unless the peer has offered a key.
  if ((SSL_get_verify_mode(connection) & SSL_VERIFY_PEER) == 0)
    return SSL_set_cipher_list(connection, kPskCiphers);
  return static_cast<tls::ListenerSecurity*>(setup->cn_call_back_arg)->equip(connection) ? 1 : 0;
}

}  // namespace

bool secure_listeners(coap_context_t* context, const SecureContexts& contexts,
                      tls::ListenerSecurity& security) {
  if (contexts.dtls == nullptr || contexts.tls == nullptr) return false;
  SSL_CTX_set_min_proto_version(contexts.tls, TLS1_2_VERSION);
  for (auto* const each : {contexts.dtls, contexts.tls}) {
    SSL_CTX_set_options(each, SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_mode(each, SSL_MODE_RELEASE_BUFFERS);
    // Each connection proves itself anew: one that is resumed would outlive a change of the files.
    SSL_CTX_set_session_cache_mode(each, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(each, SSL_OP_NO_TICKET);
    SSL_CTX_set_num_tickets(each, 0);
  }
  // Whatever comes as far as this has shown its cookie to the HelloGate.
  SSL_CTX_set_cookie_verify_cb(contexts.dtls, [](SSL*, const unsigned char*, unsigned) { return 1; });
  // Without a key of its own libcoap would not look whether a peer offers one. Nobody is given this one.
  static std::array<std::uint8_t, 32> nobody_s;
  random_bytes(nobody_s.data(), nobody_s.size());
  coap_dtls_spsk_t keys{};
  keys.version = COAP_DTLS_SPSK_SETUP_VERSION;
  keys.validate_id_call_back = key_of;
  keys.id_call_back_arg = &security;
  keys.psk_info.key = {nobody_s.size(), nobody_s.data()};
  coap_dtls_pki_t certificates{};
  certificates.version = COAP_DTLS_PKI_SETUP_VERSION;
  certificates.verify_peer_cert = 1;
  certificates.cert_chain_validation = 1;
  certificates.cert_chain_verify_depth = 10;
  certificates.additional_tls_setup_call_back = equip;
  certificates.cn_call_back_arg = &security;
  certificates.pki_key.key_type = COAP_PKI_KEY_PEM;
  return coap_context_set_psk2(context, &keys) == 1 && coap_context_set_pki(context, &certificates) == 1;
}

std::string identity_of(const coap_session_t* session) {
  const auto* const ssl = connection_of(session);
  if (ssl == nullptr) return {};
  if (const auto subject = tls::certified_subject(ssl); !subject.empty()) return "cert:" + subject;
  // OpenSSL itself does not tell it of TLS 1.3.
  const auto* const identity = coap_session_get_psk_identity(session);
  return identity != nullptr ? "psk:" + std::string(view(identity->s, identity->length)) : std::string();
}

bool lets_in(const tls::ListenerSecurity& security, const coap_session_t* session) {
  const auto* const ssl = connection_of(session);
  if (ssl == nullptr) return false;
  if (!tls::certified_subject(ssl).empty()) return security.trusts(ssl);
  const auto* const identity = coap_session_get_psk_identity(session);
  const auto* const key = coap_session_get_psk_key(session);
  if (identity == nullptr || key == nullptr) return false;
  const auto* const now = security.key(view(identity->s, identity->length));
  return now != nullptr && *now == view(key->s, key->length);
}

}  // namespace aiot::coap
