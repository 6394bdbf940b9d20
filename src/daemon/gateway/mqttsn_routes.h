#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <vector>

#include "core/base/completion.h"
#include "core/codec/topic.h"
#include "core/mqttsn/session.h"

namespace aiot::gateway {

/// Where messages of MQTT-SN clients go, and where those for them come from: an MQTT broker, or the gateway
/// itself.
class MqttSnRoutes {
 public:
  virtual ~MqttSnRoutes() = default;
  /// `done` when it is safe there: only then is it acknowledged to its client.
  virtual void publish(mqttsn::Message message, Completion<> done) = 0;
  /// Some client wants what `filter` matches; none does any more.
  virtual void subscribe(const std::string& filter) = 0;
  virtual void unsubscribe(const std::string& filter) = 0;
  /// `client_id` wants what is retained under `filter`.
  virtual void wants_retained(const std::string& client_id, const std::string& filter, int qos) = 0;
};

/// What routes give back: on a turn of their own.
struct MqttSnRoutesCallbacks {
  UniqueFunction<void(const mqttsn::Message&)> deliver;
  UniqueFunction<void(const std::string& client_id, mqttsn::Message)> deliver_to;
};

/// Retained messages, newest for each topic (MQTT 3.1.1 section 3.3.1.3). Pure.
class RetainedStore {
 public:
  static constexpr std::size_t kMaxMessages = 10'000;
  static constexpr std::size_t kMaxBytes = 16UL * 1024 * 1024;

  /// Keeps it, or with an empty payload forgets what was kept. False when the bound forbids it.
  bool set(const mqttsn::Message& message);
  [[nodiscard]] std::vector<mqttsn::Message> matching(const std::string& filter) const;

 private:
  std::map<std::string, mqttsn::Message> messages_;
  std::size_t bytes_ = 0;
};

}  // namespace aiot::gateway
