#include "core/coap/secure_contexts.h"

#include <utility>

namespace aiot::coap {
namespace {

thread_local SecureContexts* noting = nullptr;

/// OpenSSL asks, for each new SSL_CTX, whether there is something to keep with it.
void note(void* parent, void*, CRYPTO_EX_DATA*, int, long, void*) noexcept {
  if (noting == nullptr) return;
  auto* const context = static_cast<SSL_CTX*>(parent);
  // libcoap makes DTLS's first. The method would tell, but it is not set yet.
  (noting->dtls == nullptr ? noting->dtls : noting->tls) = context;
}

}  // namespace

SecureCapture::SecureCapture() : before_(std::exchange(noting, &made_)) {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, note, nullptr, nullptr);
  (void)index;
}

SecureCapture::~SecureCapture() { noting = before_; }

}  // namespace aiot::coap
