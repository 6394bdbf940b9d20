#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/event_loop.h"
#include "core/model/principal.h"
#include "core/ws/http_server.h"
#include "daemon/broker/counters.h"
#include "daemon/broker/followers.h"
#include "daemon/broker/rest.h"
#include "daemon/wire/client_v1.h"

namespace aiot::broker {

/// What sessions of aiot.client.v1 work with.
struct FollowerServices {
  EventLoop& loop;
  Followers& followers;
  Rest& rest;
  Counters& counters;
  std::size_t outbox_bytes;  ///< that a client may be behind, all its subscriptions together
};

/// A client on aiot.client.v1 (docs/protocol.md).
class FollowerSession final : public ws::WsSession, private ws::FrameSource, private Subscriber {
 public:
  /// `host` is the upgrade request's: what URIs in results name.
  FollowerSession(FollowerServices services, Principal principal, std::string host);
  ~FollowerSession() override;

  void opened(ws::WsConnection& connection) override;
  void received(std::string_view message, bool binary) override;
  void closed() override;

 private:
  std::string_view peek() override;
  void consume(std::size_t bytes) override;
  void wake() override;
  [[nodiscard]] std::size_t share() const override;

  void hello(const wire::client_v1::Hello& hello);
  void subscribe(wire::client_v1::Subscribe wanted);
  void unsubscribe(std::uint64_t id);
  void acknowledge(const wire::client_v1::Ack& ack);
  void read(const wire::client_v1::Read& read);
  void write(const wire::client_v1::Write& write);
  void ask(std::uint64_t id, bool write, ws::HttpRequest request);
  void send(std::string_view text);
  void fail(std::string_view code, std::string_view message);
  void end_all();

  FollowerServices services_;
  Principal principal_;
  std::string host_;
  ws::WsConnection* connection_ = nullptr;
  std::unique_ptr<Timer> hello_deadline_;
  bool welcomed_ = false;
  bool failed_ = false;
  std::vector<std::unique_ptr<Subscription>> subscriptions_;
  std::size_t turn_ = 0;                                    ///< which of them is asked next
  std::size_t under_way_ = 0;                               ///< requests
  std::shared_ptr<char> alive_ = std::make_shared<char>();  ///< answers after the end find it gone
};

}  // namespace aiot::broker
