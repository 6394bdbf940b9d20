#pragma once

#include <array>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "daemon/gateway/effects.h"

namespace aiot::gateway {

class Policy;

/// A message of a node that is not asked by request.
struct NodeSource {
  Protocol protocol = Protocol::mqtt;
  std::string_view id;    ///< the node's own name
  bool retained = false;  ///< the message is an old one: it introduces a node, but is no sign of life
  SocketAddress address;  ///< where it speaks from; empty when unknown
  /// It may be what an MQTT-SN node said here, come back from the broker that it was passed on to.
  bool may_be_echo = false;
  std::string_view credential = {};  ///< what it has proved to be; empty for nothing
};

/// Nodes that are told by messages and answer by reporting values: MQTT, MQTT-SN, WebSocket. A write is
/// confirmed when the node reports the value (contracts section 1, "echo").
class MessageNodes {
 public:
  MessageNodes(Core& core, Policy& policy) : core_(core), policy_(policy) {}

  // Events of sources. An Error says why nothing was taken; it is counted already.
  /// It is there.
  Result<void> alive(const NodeSource& from, const Now& now);
  /// It has a value.
  Result<void> value(const NodeSource& from, std::string_view resource, std::string_view bytes,
                     std::optional<std::uint16_t> content_format, const Now& now);
  /// It has said what it has, and is asked for the values.
  Result<void> listed(const NodeSource& from, const Now& now);
  /// It has gone for certain: a WebSocket that closed.
  void gone(Protocol protocol, std::string_view id, const Now& now);
  /// Silence of up to `lifetime` is agreed on: an MQTT-SN client sleeps. Zero: as ever.
  void set_lifetime(Protocol protocol, std::string_view id, Duration lifetime);

  /// A request of the broker's for such a node.
  void ask(Node& node, const wire::Ask& ask, const Now& now);
  /// What Effects::tell had accepted came to nothing after all.
  void tell_failed(Ticket ticket, Error error);
  void tick(const Now& now);
  [[nodiscard]] std::optional<TimePoint> next_deadline() const {
    return due_.empty() ? std::nullopt : std::optional(due_.begin()->first);
  }

 private:
  struct Pending {
    wire::Ask ask;
    TimePoint asked{}, due{};
  };
  /// make_uid(), which is dear, remembered: it would be asked for with every message.
  const std::string& uid_of(Protocol protocol, std::string_view id);
  /// The node, made if need be; null when a retained message is not for it.
  Result<Node*> heard(const NodeSource& from, bool brings_value, const Now& now);
  /// Settles what waited for this value.
  void reported(Node& node, const Resource& resource, const Now& now);
  Pending take(Ticket ticket);
  Error refuse(Drop reason, std::string message);

  Core& core_;
  Policy& policy_;
  std::array<std::unordered_map<std::string, std::string>, 4> uids_;  ///< by id, for each protocol
  std::unordered_map<Ticket, Pending> pending_;
  std::set<std::pair<TimePoint, Ticket>> due_;
};

}  // namespace aiot::gateway
