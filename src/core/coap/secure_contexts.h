#pragma once

#include <openssl/ssl.h>

/// Inside the room only: what libcoap does not show of its TLS.
namespace aiot::coap {

/// What libcoap makes connections from: it makes both with each context and keeps them to itself.
struct SecureContexts {
  SSL_CTX* dtls = nullptr;
  SSL_CTX* tls = nullptr;
};

/// Notes every SSL_CTX that is made on this thread while it lives.
class SecureCapture {
 public:
  SecureCapture();
  SecureCapture(const SecureCapture&) = delete;
  SecureCapture& operator=(const SecureCapture&) = delete;
  ~SecureCapture();
  [[nodiscard]] const SecureContexts& made() const { return made_; }

 private:
  SecureContexts made_;
  SecureContexts* before_;
};

}  // namespace aiot::coap
