#include "core/mqtt/tls.h"

#include <fcntl.h>
#include <unistd.h>

#include <utility>

#include "core/tls/client_context.h"

namespace aiot::mqtt {

namespace {

class Context final : public TlsContext {
 public:
  explicit Context(std::shared_ptr<tls::ClientContext> context) : context_(std::move(context)) {}

  Result<void> configure(const std::vector<std::string>& alpn) {
    SSL_CTX_set_app_data(context_->get(), this);
    SSL_CTX_set_info_callback(context_->get(), informed);
    return offer(alpn);
  }

  void* native() override { return context_->get(); }
  [[nodiscard]] const std::string& failure() const override { return context_->failure(); }
  void begin_on(int fd) override {
    context_->clear_failure();
    fd_ = fd;
    in_handshake_ = true;
  }
  [[nodiscard]] bool in_handshake() const override { return in_handshake_; }

 private:
  Result<void> offer(const std::vector<std::string>& protocols) {
    std::string wire;
    for (const std::string& protocol : protocols) {
      if (protocol.empty() || protocol.size() > 255)
        return make_error(Errc::usage, "an ALPN protocol name has 1 to 255 bytes");
      wire += static_cast<char>(protocol.size());
      wire += protocol;
    }
    if (!wire.empty() &&
        SSL_CTX_set_alpn_protos(context_->get(), reinterpret_cast<const unsigned char*>(wire.data()),
                                static_cast<unsigned>(wire.size())) != 0)
      return make_error(Errc::internal, "ALPN: " + tls::openssl_reason());
    return {};
  }

  static Context& of(const SSL* ssl) {
    return *static_cast<Context*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0));
  }

  static void informed(const SSL* ssl, int where, int code) noexcept {
    Context& self = of(ssl);
    if ((where & SSL_CB_HANDSHAKE_START) != 0) {
      // Before the ClientHello is made: in place of the socket and the address that libmosquitto has.
      if (self.fd_ >= 0) ::dup3(std::exchange(self.fd_, -1), SSL_get_fd(ssl), O_CLOEXEC);
      auto* const session = const_cast<SSL*>(ssl);
      SSL_set_tlsext_host_name(session, nullptr);
      self.context_->name_server(session);
    } else if ((where & SSL_CB_HANDSHAKE_DONE) != 0) {
      self.in_handshake_ = false;
    }
    tls::ClientContext::informed(ssl, where, code);
  }

  std::shared_ptr<tls::ClientContext> context_;
  int fd_ = -1;
  bool in_handshake_ = false;
};

}  // namespace

Result<std::unique_ptr<TlsContext>> TlsContext::make(const TlsOptions& options, const std::string& host) {
  auto made = tls::ClientContext::make({options.ca_file, options.cert_file, options.key_file}, host);
  if (!made) return std::move(made).error();
  auto context = std::make_unique<Context>(std::move(*made));
  if (auto configured = context->configure(options.alpn); !configured) return std::move(configured).error();
  return std::unique_ptr<TlsContext>(std::move(context));
}

}  // namespace aiot::mqtt
