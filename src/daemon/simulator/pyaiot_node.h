#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/simulator/node_values.h"

namespace aiot::simulator {

/// What a pyaiot node says and answers where it speaks in topics (MQTT, MQTT-SN) or in JSON (WebSocket).
/// Pure.
class PyaiotNode {
 public:
  struct Message {
    std::string topic;
    std::string payload;
  };
  /// What a message meant.
  enum class Heard : std::uint8_t { nothing, request, write };

  PyaiotNode(const Blueprint& blueprint, std::size_t number) : values_(blueprint, number) {}
  [[nodiscard]] std::string uid() const { return values_.uid(); }

  /// `gateway/ID/discover` and `gateway/ID/RESOURCE/set` of what can be written.
  [[nodiscard]] std::vector<std::string> subscriptions() const;
  /// `node/check`.
  [[nodiscard]] Message check() const;
  /// One changing value, in turn; nothing when there is none.
  [[nodiscard]] std::optional<Message> next();
  /// A message of the gateway; what is to be published for it is added to `out`.
  Heard receive(std::string_view topic, std::string_view payload, std::vector<Message>& out);

  /// One changing value as an `update`; empty when there is none.
  [[nodiscard]] std::string next_json();
  /// A message of the gateway; `reply` is what is to be sent for it, empty for nothing.
  Heard receive_json(std::string_view text, std::string& reply);

 private:
  [[nodiscard]] Message value(std::size_t index) const;
  [[nodiscard]] std::string update(const std::vector<std::size_t>& indices) const;

  NodeValues values_;
};

}  // namespace aiot::simulator
