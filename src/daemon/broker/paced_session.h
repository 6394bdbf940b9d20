#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

#include "core/base/function.h"
#include "core/base/rate.h"
#include "core/loop/event_loop.h"
#include "core/ws/http_server.h"

namespace aiot::broker {

/// A session whose peer is read no faster than at a rate. What comes faster waits in the network, so nothing
/// is lost, and the peer feels it.
class PacedSession final : public ws::WsSession {
 public:
  /// `meter` tells how much has passed so far, of which the difference counts; without one each message is
  /// one. `pauses` counts how often reading stopped.
  PacedSession(EventLoop& loop, std::unique_ptr<ws::WsSession> session, Rate rate,
               UniqueFunction<std::uint64_t()> meter, std::uint64_t& pauses);

  void opened(ws::WsConnection& connection) override;
  void received(std::string_view message, bool binary) override;
  void closed() override;

 private:
  EventLoop& loop_;
  std::unique_ptr<ws::WsSession> session_;
  Rate rate_;
  UniqueFunction<std::uint64_t()> meter_;
  std::uint64_t& pauses_;
  RateMeter passed_;
  std::unique_ptr<Timer> timer_;
  ws::WsConnection* connection_ = nullptr;
};

}  // namespace aiot::broker
