#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/model/update.h"

/// The messages of aiot.client.v1 as a client sees them (docs/protocol.md). Pure.
namespace aiot::relay::client_v1 {

inline constexpr std::string_view kName = "aiot.client.v1";

/// Who a node is, and how.
struct NodeFacts {
  std::string uid, gateway, protocol;
  NodeState state = NodeState::live;
};
struct Item {
  std::string event;  ///< "joined", "gateway_down" ...; empty for an update
  NodeFacts node;     ///< of an update only the uid, of a gateway's event only the gateway
  Update update;
};

struct Welcome {};
struct Snapshot {
  std::uint64_t id = 0;
  bool last = false;
  struct Node {
    NodeFacts facts;
    std::vector<Update> values;
  };
  std::vector<Node> nodes;
};
struct Updates {
  std::uint64_t id = 0;
  std::vector<Item> items;
};
struct Gap {
  std::uint64_t id = 0;
  std::uint64_t missed = 0, events = 0;
  std::string reason;
};
/// `refused` of a subscription, or `failure` of the whole session.
struct Refusal {
  Error error;
};
/// A type that this version does not know, or has no use for.
struct Other {};

using Message = std::variant<Welcome, Snapshot, Updates, Gap, Refusal, Other>;

/// Errc::peer_failed for what is not such a message. An item that makes no sense is left out.
[[nodiscard]] Result<Message> parse(std::string_view text);

[[nodiscard]] std::string hello();
[[nodiscard]] std::string subscribe(std::uint64_t id, const std::string& node, const std::string& resource);
[[nodiscard]] std::string unsubscribe(std::uint64_t id);

}  // namespace aiot::relay::client_v1
