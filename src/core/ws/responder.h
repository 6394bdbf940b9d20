#pragma once

#include <cstdint>
#include <memory>

#include "core/ws/http_server.h"

namespace aiot::ws {

class HttpConnection;

/// The way back to the connection that asked, as long as there is one; answers 500 when let go of unused.
class HttpResponder::Impl {
 public:
  Impl(std::weak_ptr<HttpConnection> connection, std::uint64_t serial)
      : connection_(std::move(connection)), serial_(serial) {}
  ~Impl();
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  void reply(HttpResponse response);

 private:
  std::weak_ptr<HttpConnection> connection_;
  std::uint64_t serial_;
};

}  // namespace aiot::ws
