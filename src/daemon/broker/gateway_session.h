#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/model/principal.h"
#include "core/ws/http_server.h"
#include "daemon/broker/asks.h"
#include "daemon/broker/gateway_link.h"
#include "daemon/broker/routing.h"
#include "daemon/store/store.h"

namespace aiot::broker {

/// What sessions of gateways work with.
struct GatewayServices {
  EventLoop& loop;
  Routing& routing;
  Asks& asks;
  store::Store& store;
  EventSink& events;
  Counters& counters;

  [[nodiscard]] Now now() const { return {loop.now(), loop.wall_now()}; }
};

/// A gateway that does not read: a write beyond this queue is not sent.
inline constexpr std::size_t kMaxGatewayQueue = 4 * 1024 * 1024;

/// A gateway on aiot.gateway.v1 (docs/protocol.md).
class NativeGatewaySession final : public ws::WsSession, public GatewayLink {
 public:
  /// `principal.name` is the name its token is bound to.
  NativeGatewaySession(GatewayServices services, Principal principal);

  void opened(ws::WsConnection& connection) override;
  void received(std::string_view message, bool binary) override;
  void closed() override;

  [[nodiscard]] bool answers() const override { return true; }
  bool ask(const wire::Ask& ask, std::string_view source) override;
  void refuse(std::string_view uid, std::string_view reason) override;
  void freed(std::string_view uid) override;
  void replaced() override;
  [[nodiscard]] std::size_t queued_bytes() const override;

 private:
  void hello(const wire::Hello& hello);
  void take_up(const std::string& stream, const std::vector<std::string>& earlier);
  void batch(const wire::Batch& batch);
  /// Acknowledges up to `last` once the store has it.
  void commit(std::uint64_t last);
  void committed(const Result<void>& result, const std::string& stream, std::uint64_t last);
  void fail(std::string_view code, std::string_view message);

  GatewayServices services_;
  Principal principal_;
  ws::WsConnection* connection_ = nullptr;
  GatewayRecord* gateway_ = nullptr;  ///< from hello on
  std::unique_ptr<Timer> hello_deadline_;
  std::string stream_;
  std::uint64_t last_ = 0;          ///< highest number received
  std::uint64_t acknowledged_ = 0;  ///< highest number stored
  unsigned committing_ = 0;
  bool in_sync_ = false;
  bool failed_ = false;
  std::unordered_map<std::string, TimePoint> refused_;  ///< when it was last told, by uid
  std::shared_ptr<char> alive_ = std::make_shared<char>();
};

/// A gateway on pyaiot's wire.
class PyaiotGatewaySession final : public ws::WsSession, public GatewayLink {
 public:
  PyaiotGatewaySession(GatewayServices services, Principal principal);

  void opened(ws::WsConnection& connection) override;
  void received(std::string_view message, bool binary) override;
  void closed() override;

  [[nodiscard]] bool answers() const override { return false; }
  bool ask(const wire::Ask& ask, std::string_view source) override;
  void refuse(std::string_view uid, std::string_view reason) override;
  void freed(std::string_view) override {}  // what it says next of the node is taken
  void replaced() override;
  [[nodiscard]] std::size_t queued_bytes() const override;

 private:
  void ignored(std::string_view why);

  GatewayServices services_;
  Principal principal_;
  std::string name_;  ///< its token's, else "pyaiot-" and its address: this wire has no names
  ws::WsConnection* connection_ = nullptr;
  GatewayRecord* gateway_ = nullptr;
  log::Limiter limiter_;
  bool told_bad_uid_ = false;
};

}  // namespace aiot::broker
