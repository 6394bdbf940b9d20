#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/client.h"
#include "daemon/gateway/counters.h"
#include "daemon/gateway/node_table.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::gateway {

/// A request to a node's own server.
struct NodeRequest {
  Ticket ticket = 0;
  SocketAddress to;
  SocketAddress from;   ///< our side; empty: any
  bool secure = false;  ///< over the session that the node has opened with `from`, and never otherwise
  Method method = Method::get;
  std::string resource;  ///< path without its leading slash, with its query
  std::string payload;
  std::optional<std::uint16_t> content_format;
  Duration timeout{};
};

/// Something to say to a node that is not asked by request (MQTT, MQTT-SN, WebSocket).
struct NodeMessage {
  enum class Kind : std::uint8_t {
    resources,  ///< say what you have
    values,     ///< say what it is
    write
  };
  Kind kind = Kind::values;
  Ticket ticket = 0;  ///< 0: nobody waits
  std::string_view resource, payload;
  Duration deadline{};  ///< it must not arrive later
};

/// The node itself said so (an error code, or an answer that could not be read); any other failure is
/// silence: it may be asleep or gone.
[[nodiscard]] inline bool is_answer(const Error& error) {
  return error.code == Errc::rejected || error.code == Errc::peer_failed || error.code == Errc::unauthorized;
}

/// What the policy has done by others. Nothing here may call the policy back before it returns.
class Effects {
 public:
  virtual ~Effects() = default;
  /// `resource` of `node` has a new value: the hot path, so nothing is copied to say it.
  virtual void update(Node& node, Resource& resource) = 0;
  /// Anything else the broker should hear, in order with the updates.
  virtual void item(wire::Item item) = 0;
  /// One request; Policy::responded follows with the same ticket unless it is cancelled.
  virtual void request(NodeRequest request) = 0;
  /// Follows a resource; Policy::notified for each value, Policy::responded with an error when it ends.
  virtual void observe(NodeRequest request) = 0;
  virtual void cancel(Ticket ticket) = 0;
  /// Says it. Errc::unreachable when there is no way to the node now, Errc::usage when it cannot be said to
  /// it; a failure that shows later is told to MessageNodes::tell_failed.
  virtual Result<void> tell(const Node& node, const NodeMessage& message) = 0;
  /// The answer to an Ask.
  virtual void answer(wire::Answer answer) = 0;
  /// The node came, went or moved: worth saving soon.
  virtual void changed(const Node& node) = 0;
};

/// What the parts of the policy share.
struct Core {
  NodeTable& table;
  Effects& effects;
  NodeCounters& counters;
  Ticket last_ticket = 0;
  std::vector<SocketAddress> listening{};  ///< where this gateway itself is reached
  Ticket next_ticket() { return ++last_ticket; }
  /// Only the port that the node speaks from leads to it: it speaks over a session of its own, or it is on
  /// this gateway's own host, where its server's address is the gateway's.
  [[nodiscard]] bool only_at_source(const Node& node) const {
    if (!node.credential.empty()) return true;  // over the session that it has opened
    const SocketAddress server = node.server();
    return std::any_of(listening.begin(), listening.end(), [&](const SocketAddress& own) {
      if (!own.is_any()) return own == server;
      return own.port() == server.port() && NodeTable::same_host(server, node.local);
    });
  }
};

}  // namespace aiot::gateway
