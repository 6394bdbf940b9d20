#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/mqtt/session.h"
#include "daemon/gateway/home_assistant.h"
#include "daemon/gateway/message_nodes.h"
#include "daemon/gateway/sink.h"
#include "daemon/gateway/topic_map.h"

namespace aiot::gateway {

/// Marks what the MQTT-SN gateway has passed on to the broker, so that no other gateway takes its nodes for
/// MQTT ones (an MQTT 5 user property, with the gateway's name).
inline constexpr const char* kViaProperty = "aiot-via";

/// The session of Origin that stands for the MQTT broker: no MQTT-SN client's id has a control character.
inline constexpr std::string_view kMqttSession = "\x01mqtt";

struct MqttOptions {
  mqtt::SessionOptions session;
  std::vector<TopicMap> maps;
  std::string discovery_prefix = "homeassistant";  ///< empty: no discovery messages are read
  std::vector<TakenMessage>
      taken;  ///< the last ones of an earlier run: what the broker repeats of them is passed over
};

/// Nodes at an MQTT broker: those that speak pyaiot's topics, those whose topics a map explains, and those
/// that Home Assistant's discovery messages describe.
class MqttSource {
 public:
  MqttSource(EventLoop& loop, Policy& policy, Sink& sink, MqttOptions options);
  /// Dials for ever. Errc::usage or internal for options that cannot be used.
  Result<void> start();
  Result<void> tell(const Node& node, const NodeMessage& message);
  void stop(Duration deadline, Completion<> done);
  [[nodiscard]] mqtt::SessionCounters counters() const { return session_->counters(); }
  [[nodiscard]] bool connected() const { return session_->connected(); }

 private:
  void received(const mqtt::Message& message);
  [[nodiscard]] bool was_taken(std::uint16_t id, std::uint64_t hash);
  Result<void> mapped(const mqtt::Message& message, const TopicMap::Place& place);
  Result<void> described(const mqtt::Message& message);
  void state(const mqtt::Message& message, const std::vector<DiscoveredEntity>& entities);
  void withdraw(const std::vector<DiscoveredEntity>& entities);
  void subscribe(const std::string& filter);
  void check();
  void complain(const mqtt::Message& message, const Error& error);
  [[nodiscard]] Now now() const { return {loop_.now(), loop_.wall_now()}; }

  EventLoop& loop_;
  Policy& policy_;
  Sink& sink_;
  MqttOptions options_;
  std::string broker_;                                                      ///< for people
  std::unordered_map<std::string, std::vector<DiscoveredEntity>> configs_;  ///< by discovery topic
  std::unordered_map<std::string, std::vector<DiscoveredEntity>> states_;   ///< by state topic
  /// Nodes that do not know pyaiot's topics, and where their resources take writes.
  std::unordered_map<std::string, std::map<std::string, std::string>> foreign_;
  bool lost_ = false;
  std::optional<TimePoint> first_connected_;
  log::Limiter complaints_{10};
  std::unique_ptr<Timer> check_timer_;
  std::unique_ptr<mqtt::Session> session_;
};

}  // namespace aiot::gateway
