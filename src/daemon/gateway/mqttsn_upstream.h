#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/mqtt/session.h"
#include "daemon/gateway/mqttsn_routes.h"

namespace aiot::gateway {

/// Routes of an aggregating gateway (MQTT-SN 1.2 section 4.2): one session at the MQTT broker for all
/// clients, with one subscription a filter, however many clients have it.
class MqttSnUpstream final : public MqttSnRoutes {
 public:
  /// `name`: the gateway's, told with what it passes on.
  MqttSnUpstream(EventLoop& loop, mqtt::SessionOptions options, std::string name,
                 MqttSnRoutesCallbacks callbacks);
  Result<void> start() { return session_->start(); }
  void stop(Duration deadline, Completion<> done) { session_->stop(deadline, std::move(done)); }
  [[nodiscard]] mqtt::SessionCounters counters() const { return session_->counters(); }

  void publish(mqttsn::Message message, Completion<> done) override;
  void subscribe(const std::string& filter) override;
  void unsubscribe(const std::string& filter) override;
  void wants_retained(const std::string& client_id, const std::string& filter, int qos) override;

 private:
  struct Waiting {
    std::string client_id;
    int qos = 0;
    TimePoint until{};
    std::unordered_set<std::size_t> had;  ///< hashes of the topics that it has been given
  };
  struct Filter {
    std::uint32_t identifier = 0;
    std::uint64_t order = 0;       ///< of subscription: older filters have lower ones
    std::vector<Waiting> waiting;  ///< for what is retained
  };
  void received(const mqtt::Message& message);
  void retained(const mqtt::Message& message, Filter& filter);
  void send_subscribe(const std::string& name, Filter& filter);

  EventLoop& loop_;
  std::string name_;
  MqttSnRoutesCallbacks callbacks_;
  std::map<std::string, Filter> filters_;
  std::uint64_t last_order_ = 0;
  SubscriptionTree<const std::string> tree_;  ///< of the same, by their names in `filters_`
  log::Limiter complaints_{10};
  std::unique_ptr<mqtt::Session> session_;
};

/// The client id kept in `state_dir`, made up at the first time; empty without a folder or when it cannot be
/// kept.
[[nodiscard]] std::string kept_client_id(const std::string& state_dir);

}  // namespace aiot::gateway
