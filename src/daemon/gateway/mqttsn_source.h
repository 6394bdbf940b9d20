#pragma once

#include <memory>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/loop/udp_socket.h"
#include "core/mqttsn/gateway_core.h"
#include "daemon/gateway/allow_list.h"
#include "daemon/gateway/message_nodes.h"
#include "daemon/gateway/mqttsn_routes.h"
#include "daemon/gateway/session_store.h"
#include "daemon/gateway/sink.h"

namespace aiot::gateway {

struct MqttSnOptions {
  mqttsn::GatewayOptions gateway;
  Duration advertise_every = std::chrono::minutes(15);  ///< TADV (section 7.2)
  std::string state_dir;                                ///< empty: sessions end with the gateway
  std::vector<TakenMessage> taken;                      ///< of an earlier run, oldest first
};

/// The MQTT-SN gateway on UDP: a gateway for any number of clients, whose messages on pyaiot's topics make
/// nodes, and all of whose messages are routed.
class MqttSnSource final : private mqttsn::GatewayEffects {
 public:
  MqttSnSource(EventLoop& loop, Policy& policy, Sink& sink, AllowList allow, MqttSnOptions options);
  ~MqttSnSource() override;

  /// Errc::unreachable when the address is in use, Errc::internal when sessions cannot be kept.
  Result<void> listen(const SocketAddress& address);
  /// Routes through `routes` instead of by itself; before listen().
  void set_routes(std::unique_ptr<MqttSnRoutes> routes) { routes_ = std::move(routes); }
  void deliver(const mqttsn::Message& message);
  void deliver_to(const std::string& client_id, mqttsn::Message message);

  [[nodiscard]] SocketAddress bound() const { return socket_->bound(); }
  Result<void> tell(const Node& node, const NodeMessage& message);
  [[nodiscard]] mqttsn::GatewayCounters counters() const { return core_.counters(); }
  [[nodiscard]] UdpCounters udp_counters() const { return socket_ ? socket_->counters() : UdpCounters{}; }
  /// Takes nothing more.
  void close();

 private:
  class LocalRoutes;
  void send(const mqttsn::Peer& to, std::string datagram) override;
  void publish(mqttsn::Ticket ticket, const std::string& client_id, mqttsn::Message message) override;
  void subscribe(const std::string& filter) override;
  void unsubscribe(const std::string& filter) override;
  void wants_retained(const std::string& client_id, const std::string& filter, int qos) override;
  void changed(const mqttsn::Session& session, mqttsn::SessionChange change) override;

  void received(const SocketAddress& from, std::string_view datagram);
  /// Whose nodes a client speaks for: as long as it sleeps they are not missed.
  void remember(const std::string& client_id, std::string_view topic, std::string_view payload);
  void slept(const mqttsn::Session& session);
  void advertise();
  void check();
  void tick();
  void after_core();
  [[nodiscard]] Now now() const { return {loop_.now(), loop_.wall_now()}; }

  EventLoop& loop_;
  Policy& policy_;
  Sink& sink_;
  AllowList allow_;
  MqttSnOptions options_;
  std::unique_ptr<SessionStore> store_;
  std::unique_ptr<MqttSnRoutes> routes_;
  std::unordered_map<std::string, std::unordered_set<std::string>> nodes_;  ///< ids, by client id
  std::unordered_map<std::string, Duration> asleep_;  ///< how long it may be silent, by client id
  log::Limiter complaints_{10};
  std::unique_ptr<Timer> tick_timer_, advertise_timer_, check_timer_;
  std::unique_ptr<UdpSocket> socket_;
  bool closed_ = false;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  ///< gone with this: late completions find out
  mqttsn::GatewayCore core_;
};

}  // namespace aiot::gateway
