#include "core/tls/listener_security.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "core/base/text.h"

namespace aiot::tls {
namespace {

/// Forward secret and authenticated, and what RFC 7925 section 4.4 has constrained nodes speak.
constexpr const char* kCertificateCiphers =
    "ECDHE+AESGCM:ECDHE+CHACHA20:ECDHE-ECDSA-AES128-CCM8:"
    "ECDHE-ECDSA-AES128-CCM:!aNULL:!PSK";

struct FreeX509 {
  void operator()(X509* certificate) const { X509_free(certificate); }
};
struct FreeStoreContext {
  void operator()(X509_STORE_CTX* context) const { X509_STORE_CTX_free(context); }
};
struct FreeBio {
  void operator()(BIO* bio) const { BIO_free(bio); }
};

}  // namespace

Result<std::shared_ptr<ListenerSecurity>> ListenerSecurity::load(ListenerFiles files) {
  const bool certificates = !files.cert.empty() || !files.key.empty() || !files.ca.empty();
  if (files.psk.empty() && !certificates) {
    return make_error(Errc::usage,
                      "--coaps needs --coaps-psk-file, or --coaps-cert and --coaps-ca: without them nobody "
                      "could be let in");
  }
  if (certificates && (files.cert.empty() || files.ca.empty())) {
    return make_error(Errc::usage,
                      "with certificates --coaps needs both, --coaps-cert to show and "
                      "--coaps-ca to check those of the nodes by");
  }
  std::shared_ptr<ListenerSecurity> security(new ListenerSecurity(std::move(files)));
  if (auto read = security->reload(); !read) return std::move(read).error();
  return security;
}

Result<> ListenerSecurity::reload() {
  PskKeys keys;
  if (!files_.psk.empty()) {
    auto read = read_psk_keys(files_.psk);
    if (!read) return std::move(read).error();
    keys = std::move(*read);
  }
  std::unique_ptr<SSL_CTX, FreeContext> certificates;
  if (!files_.cert.empty()) {
    ERR_clear_error();
    certificates.reset(SSL_CTX_new(TLS_server_method()));
    if (!certificates) return make_error(Errc::internal, "cannot set up TLS: " + openssl_reason());
    auto* const ctx = certificates.get();
    if (auto loaded = load_certificate(*ctx, files_.cert, files_.key, "--coaps-cert", "--coaps-key"); !loaded)
      return loaded;
    auto* const names = SSL_load_client_CA_file(files_.ca.c_str());
    if (names == nullptr || SSL_CTX_load_verify_file(ctx, files_.ca.c_str()) != 1) {
      sk_X509_NAME_pop_free(names, X509_NAME_free);
      return make_error(Errc::internal,
                        fmt::format("--coaps-ca {}: {}", text::escape_controls(files_.ca), openssl_reason()));
    }
    SSL_CTX_set_client_CA_list(ctx, names);
  }
  keys_ = std::move(keys);
  certificates_ = std::move(certificates);
  return {};
}

const std::string* ListenerSecurity::key(std::string_view identity) const {
  const auto at = keys_.find(identity);
  return at == keys_.end() ? nullptr : &at->second;
}

bool ListenerSecurity::equip(SSL* ssl) const {
  auto* const ctx = certificates_.get();
  if (ctx == nullptr) return false;
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(ctx, &chain);
  SSL_set_client_CA_list(ssl, SSL_dup_CA_list(SSL_CTX_get_client_CA_list(ctx)));
  SSL_set_verify(ssl, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  return SSL_set1_verify_cert_store(ssl, SSL_CTX_get_cert_store(ctx)) == 1 &&
         SSL_set_cipher_list(ssl, kCertificateCiphers) == 1 &&
         SSL_use_cert_and_key(ssl, SSL_CTX_get0_certificate(ctx), SSL_CTX_get0_privatekey(ctx), chain, 1) ==
             1;
}

bool ListenerSecurity::trusts(const SSL* ssl) const {
  const std::unique_ptr<X509_STORE_CTX, FreeStoreContext> check(X509_STORE_CTX_new());
  return certificates_ && check &&
         X509_STORE_CTX_init(check.get(), SSL_CTX_get_cert_store(certificates_.get()),
                             SSL_get0_peer_certificate(ssl), SSL_get_peer_cert_chain(ssl)) == 1 &&
         X509_STORE_CTX_set_default(check.get(), "ssl_client") == 1 && X509_verify_cert(check.get()) == 1;
}

std::string certified_subject(const SSL* ssl) {
  if (ssl == nullptr || SSL_is_init_finished(ssl) != 1 || SSL_get_verify_result(ssl) != X509_V_OK) return {};
  const std::unique_ptr<X509, FreeX509> certificate(SSL_get1_peer_certificate(ssl));
  const std::unique_ptr<BIO, FreeBio> out(BIO_new(BIO_s_mem()));
  if (!certificate || !out) return {};
  X509_NAME_print_ex(out.get(), X509_get_subject_name(certificate.get()), 0, XN_FLAG_RFC2253);
  char* bytes = nullptr;
  const auto size = BIO_get_mem_data(out.get(), &bytes);
  return size > 0 ? std::string(bytes, static_cast<std::size_t>(size)) : std::string();
}

}  // namespace aiot::tls
