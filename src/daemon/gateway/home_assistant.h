#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/gateway/node_message.h"

/// Home Assistant's MQTT discovery messages, read as nodes and resources. Pure.
namespace aiot::gateway {

/// One entity: a resource of a node.
struct DiscoveredEntity {
  std::string node;               ///< the device's first identifier, else the topic's node or object id
  std::string resource;           ///< the object id
  std::string state_topic;        ///< empty: it has no state
  std::string command_topic;      ///< empty: it takes no writes
  std::vector<std::string> path;  ///< of the value in a JSON payload (value_template); empty: all of it
  std::string unit;
  friend bool operator==(const DiscoveredEntity&, const DiscoveredEntity&) = default;
};

/// Whether `topic` is PREFIX/COMPONENT/[NODE_ID/]OBJECT_ID/config.
[[nodiscard]] bool is_discovery_topic(std::string_view prefix, std::string_view topic);
/// The entities that a discovery message describes; none for an empty payload, which withdraws them.
/// Errc::rejected says what is wrong.
[[nodiscard]] Result<std::vector<DiscoveredEntity>> parse_discovery(std::string_view prefix,
                                                                    std::string_view topic,
                                                                    std::string_view payload);
/// The entity's value in a message of its state topic, with its unit when it is a number; none when the
/// message is about others.
[[nodiscard]] std::optional<JsonValue> state_value(const DiscoveredEntity& entity, std::string_view payload);

}  // namespace aiot::gateway
