#include "core/tls/identity.h"

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/x509.h>

#include "core/base/log.h"
#include "core/tls/client_context.h"

namespace aiot::tls {
namespace {

/// For TLS 1.2: forward secret and authenticated. TLS 1.3 has nothing else.
constexpr const char* kCiphers = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL:!PSK:!SRP";
/// Tells sessions of this program from others' (SSL_CTX_set_session_id_context(3)).
constexpr unsigned char kSessionContext[] = "aiot";

/// HTTP/1.1 for whoever asks (RFC 7301); a client that wants something else alone is not refused, so that
/// it gets an answer it can show.
int choose_protocol(SSL*, const unsigned char** out, unsigned char* size, const unsigned char* in,
                    unsigned in_size, void*) noexcept {
  static constexpr unsigned char ours[] = "\x08http/1.1";
  unsigned char* chosen = nullptr;
  if (SSL_select_next_proto(&chosen, size, ours, sizeof ours - 1, in, in_size) != OPENSSL_NPN_NEGOTIATED)
    return SSL_TLSEXT_ERR_NOACK;
  *out = chosen;
  return SSL_TLSEXT_ERR_OK;
}

void warn_of_time(const SSL_CTX& context, const std::string& option, const std::string& file) {
  const auto* const cert = SSL_CTX_get0_certificate(&context);
  if (cert == nullptr) return;
  if (X509_cmp_current_time(X509_get0_notAfter(cert)) < 0)
    log::warn("{} {} has expired: clients will refuse it", option, file);
  if (X509_cmp_current_time(X509_get0_notBefore(cert)) > 0)
    log::warn("{} {} is not valid yet: clients will refuse it", option, file);
}

}  // namespace

Result<std::shared_ptr<Identity>> Identity::load(std::string cert, std::string key, std::string options) {
  std::shared_ptr<Identity> identity(new Identity(std::move(cert), std::move(key), std::move(options)));
  if (auto loaded = identity->reload(); !loaded) return std::move(loaded).error();
  return identity;
}

Result<> Identity::reload() {
  ERR_clear_error();
  const std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) return make_error(Errc::internal, "cannot set up TLS: " + openssl_reason());
  auto* const ctx = context.get();
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_options(ctx, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
                               SSL_OP_PRIORITIZE_CHACHA);
  // Thousands of connections are quiet most of the time: they keep no buffers.
  SSL_CTX_set_mode(
      ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
  // Tickets resume sessions; nothing is remembered here, so nobody can fill it.
  SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_session_id_context(ctx, kSessionContext, sizeof kSessionContext - 1);
  SSL_CTX_set_alpn_select_cb(ctx, choose_protocol, nullptr);
  if (SSL_CTX_set_cipher_list(ctx, kCiphers) != 1)
    return make_error(Errc::internal, "no cipher for TLS 1.2: " + openssl_reason());
  const std::string option = options_ + "-cert";
  if (auto loaded = load_certificate(*ctx, cert_, key_, option.c_str(), (options_ + "-key").c_str()); !loaded)
    return loaded;
  warn_of_time(*ctx, option, cert_);
  context_ = context;
  return {};
}

}  // namespace aiot::tls
