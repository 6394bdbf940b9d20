#pragma once

#include <cstdint>
#include <memory>

#include "core/ws/http_server.h"

namespace aiot::ws {

class HttpConnection;

/// The way back to who asked: called once.
class HttpResponder::Impl {
 public:
  virtual ~Impl() = default;
  virtual void reply(HttpResponse response) = 0;
};

/// To the connection that asked, as long as there is one.
class ConnectionReply final : public HttpResponder::Impl {
 public:
  ConnectionReply(std::weak_ptr<HttpConnection> connection, std::uint64_t serial)
      : connection_(std::move(connection)), serial_(serial) {}
  void reply(HttpResponse response) override;

 private:
  std::weak_ptr<HttpConnection> connection_;
  std::uint64_t serial_;
};

}  // namespace aiot::ws
