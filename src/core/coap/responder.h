#pragma once

#include "core/coap/coap_server.h"
#include "core/coap/exchange.h"

namespace aiot::coap {

/// Ties a Responder to its exchange. Small ones come and go with every request, so they are recycled.
class Responder::Impl {
 public:
  explicit Impl(Exchange& exchange) : exchange_(&exchange) {}
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  ~Impl();

  void reply(const ServerReply& reply);

  static void* operator new(std::size_t size);
  static void operator delete(void* memory, std::size_t size) noexcept;

 private:
  Exchange* exchange_;
};

}  // namespace aiot::coap
