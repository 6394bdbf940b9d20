#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "daemon/gateway/node_table.h"

/// What pyaiot's nodes and gateways say to each other on MQTT, MQTT-SN and WebSocket (contracts section 3).
/// Pure. Errors are Errc::rejected, a sentence that says what is wrong.
namespace aiot::gateway {

class Policy;
struct NodeSource;

/// A value of any JSON type: text as its bytes, everything else as JSON.
struct JsonValue {
  std::string bytes;
  std::optional<std::uint16_t> content_format;
};

/// `{"id":ID}` of node/check, where ID is text or a number.
[[nodiscard]] Result<std::string> parse_check(std::string_view payload);
/// `{"value":VALUE}` of node/ID/RESOURCE.
[[nodiscard]] Result<JsonValue> parse_value(std::string_view payload);
/// The JSON list of names of node/ID/resources: that it is one.
[[nodiscard]] Result<void> check_names(std::string_view payload);

/// What a WebSocket node sends: `{"type":"update","data":{RESOURCE:VALUE,...}}`, with its uid in it or alone.
struct WebSocketMessage {
  std::string uid;
  std::vector<std::pair<std::string, JsonValue>> values;
};
[[nodiscard]] Result<WebSocketMessage> parse_web_socket_message(std::string_view text);
/// `{"endpoint":RESOURCE,"payload":VALUE}`.
[[nodiscard]] std::string web_socket_write(std::string_view resource, std::string_view value);
inline constexpr std::string_view kWebSocketDiscover = R"({"request":"discover"})";

inline constexpr std::string_view kNodeFilter = "node/#";
inline constexpr std::string_view kGatewayCheck = "gateway/check";
inline constexpr Duration kGatewayCheckEvery = std::chrono::seconds(30);
/// Whether pyaiot's nodes publish there.
[[nodiscard]] bool is_node_topic(std::string_view topic);
/// Hands a message of a node topic to the policy. `from` needs no id. Errors are counted.
Result<void> take_node_message(Policy& policy, NodeSource from, std::string_view topic,
                               std::string_view payload, const Now& now);
struct NodeMessage;
/// The topic and payload that say `message` to the node with that id.
[[nodiscard]] std::pair<std::string, std::string> topic_message(std::string_view id,
                                                                const NodeMessage& message);

}  // namespace aiot::gateway
