#include "core/mqtt/tls.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <fmt/core.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <utility>

namespace aiot::mqtt {

namespace {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

std::string openssl_reason() {
  const unsigned long code = ERR_get_error();
  ERR_clear_error();
  const char* reason = code == 0 ? nullptr : ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL gave no reason";
}

bool is_address(const std::string& host) {
  unsigned char bytes[16];
  return inet_pton(AF_INET, host.c_str(), bytes) == 1 || inet_pton(AF_INET6, host.c_str(), bytes) == 1;
}

class Context final : public TlsContext {
 public:
  explicit Context(std::string host) : ctx_(SSL_CTX_new(TLS_client_method())), host_(std::move(host)) {}

  Result<void> configure(const TlsOptions& options) {
    if (!ctx_) return failed("cannot set up TLS");
    SSL_CTX_set_min_proto_version(ctx_.get(), TLS1_2_VERSION);
    SSL_CTX_set_app_data(ctx_.get(), this);
    SSL_CTX_set_verify(ctx_.get(), SSL_VERIFY_PEER, verified);
    SSL_CTX_set_info_callback(ctx_.get(), informed);
    // A partial record is sent again from wherever libmosquitto keeps the packet by then.
    SSL_CTX_set_mode(ctx_.get(), SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    X509_VERIFY_PARAM* param = SSL_CTX_get0_param(ctx_.get());
    const std::string address = host_.substr(0, host_.find('%'));
    named_ = !is_address(address);
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const int set = named_ ? X509_VERIFY_PARAM_set1_host(param, host_.c_str(), 0)
                           : X509_VERIFY_PARAM_set1_ip_asc(param, address.c_str());
    if (set != 1) return failed(fmt::format("'{}' cannot be verified", host_));
    if (auto loaded = load(options); !loaded) return loaded;
    return offer(options.alpn);
  }

  void* native() override { return ctx_.get(); }
  [[nodiscard]] const std::string& failure() const override { return failure_; }
  void begin_on(int fd) override {
    failure_.clear();
    fd_ = fd;
    in_handshake_ = true;
  }
  [[nodiscard]] bool in_handshake() const override { return in_handshake_; }

 private:
  Result<void> load(const TlsOptions& options) {
    ERR_clear_error();
    SSL_CTX* ctx = ctx_.get();
    if (options.ca_file.empty()) {
      if (SSL_CTX_set_default_verify_paths(ctx) != 1) return failed("the system's authorities");
    } else if (SSL_CTX_load_verify_file(ctx, options.ca_file.c_str()) != 1) {
      return failed("--ca " + options.ca_file);
    }
    if (options.cert_file.empty()) return {};
    if (SSL_CTX_use_certificate_chain_file(ctx, options.cert_file.c_str()) != 1)
      return failed("--cert " + options.cert_file);
    // One file may hold both.
    const std::string& key = options.key_file.empty() ? options.cert_file : options.key_file;
    if (SSL_CTX_use_PrivateKey_file(ctx, key.c_str(), SSL_FILETYPE_PEM) != 1) return failed("--key " + key);
    if (SSL_CTX_check_private_key(ctx) != 1)
      return failed(fmt::format("--key {} is not that of --cert {}", key, options.cert_file));
    return {};
  }

  Result<void> offer(const std::vector<std::string>& protocols) {
    std::string wire;
    for (const std::string& protocol : protocols) {
      if (protocol.empty() || protocol.size() > 255)
        return make_error(Errc::usage, "an ALPN protocol name has 1 to 255 bytes");
      wire += static_cast<char>(protocol.size());
      wire += protocol;
    }
    if (!wire.empty() &&
        SSL_CTX_set_alpn_protos(ctx_.get(), reinterpret_cast<const unsigned char*>(wire.data()),
                                static_cast<unsigned>(wire.size())) != 0)
      return failed("ALPN");
    return {};
  }

  static Error failed(const std::string& what) {
    return make_error(Errc::internal, fmt::format("{}: {}", what, openssl_reason()));
  }

  static Context& of(const SSL* ssl) {
    return *static_cast<Context*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
  }

  static int verified(int good, X509_STORE_CTX* store) noexcept {
    if (good != 1) {
      const auto* ssl =
          static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
      Context& self = of(ssl);
      self.failure_ = fmt::format("the certificate of {} is refused: {}", self.host_,
                                  X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
    }
    return good;
  }

  static void informed(const SSL* ssl, int where, int code) noexcept {
    Context& self = of(ssl);
    if ((where & SSL_CB_HANDSHAKE_START) != 0) {
      // Before the ClientHello is made: in place of the socket and the address that libmosquitto has.
      if (self.fd_ >= 0) ::dup3(std::exchange(self.fd_, -1), SSL_get_fd(ssl), O_CLOEXEC);
      SSL_set_tlsext_host_name(const_cast<SSL*>(ssl),
                               self.named_ ? const_cast<char*>(self.host_.c_str()) : nullptr);
    } else if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
      self.in_handshake_ = false;
    } else if ((where & SSL_CB_READ_ALERT) == SSL_CB_READ_ALERT && (code >> 8) == SSL3_AL_FATAL) {
      self.failure_ = fmt::format("{} ended TLS: {}", self.host_, SSL_alert_desc_string_long(code));
    }
  }

  std::unique_ptr<SSL_CTX, FreeContext> ctx_;
  std::string host_;
  std::string failure_;
  int fd_ = -1;
  bool named_ = true;
  bool in_handshake_ = false;
};

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::make(const TlsOptions& options, const std::string& host) {
  auto context = std::make_unique<Context>(host);
  if (auto configured = context->configure(options); !configured) return configured.error();
  return std::unique_ptr<TlsContext>(std::move(context));
}

}  // namespace aiot::mqtt
