#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/base/log.h"
#include "core/base/time.h"
#include "daemon/broker/counters.h"
#include "daemon/broker/gateway_link.h"
#include "daemon/broker/hub.h"
#include "daemon/broker/node_table.h"
#include "daemon/broker/records.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::broker {

/// Both clocks of one turn.
struct Now {
  TimePoint mono{};
  WallTime wall{};
};

/// Silence after which a gateway of the same site may take a node over.
inline constexpr Duration kHandoverSilence = std::chrono::seconds(60);

/// Gateways of one site; pyaiot's, which know no sites, are of everyone's, so that ours can take their place.
[[nodiscard]] inline bool share_nodes(const GatewayRecord& a, const GatewayRecord& b) {
  return a.site == b.site || a.site.empty() || b.site.empty();
}

/// Decides which gateway owns which node and what clients hear. Pure: no socket and no clock; it changes the
/// table and tells hub, links and events.
class Routing {
 public:
  Routing(NodeTable& table, Hub& hub, EventSink& events, Records& records, Counters& counters)
      : table_(table), hub_(hub), events_(events), records_(records), counters_(counters) {}

  struct GatewayIdentity {
    std::string name, site, stream, software, peer;
    bool native = false;
  };
  /// A gateway is there. Of two with one name the newer wins; the older is told so.
  GatewayRecord& connected(const GatewayIdentity& who, GatewayLink& link, Now now);
  /// Its connection ended: its nodes are stale. Does nothing when `link` was replaced before.
  void disconnected(GatewayRecord& gateway, const GatewayLink& link);

  /// `base`, or `base-2` and so on: a name that no connected gateway has. pyaiot's gateways have none of
  /// their own.
  [[nodiscard]] std::string free_name(std::string_view base) const;

  /// The native wire: a gateway's node table, and what happened since.
  void sync(GatewayRecord& gateway, const wire::Sync& sync, bool first, Now now);
  void apply(GatewayRecord& gateway, std::span<const wire::Item> items, Now now);
  /// The same of what is told ahead of its number, which is counted and kept when that comes.
  void show(GatewayRecord& gateway, std::span<const wire::Item> items, Now now);
  /// What had been told by sync() or show(): for the history alone.
  void replay(GatewayRecord& gateway, std::span<const wire::Item> items, Now now);

  /// pyaiot's wire. `answered` marks messages to one destination: answers to the broker's own question, of
  /// which clients hear only what they do not have.
  void node_new(GatewayRecord& gateway, std::string_view uid, bool answered, Now now);
  void node_value(GatewayRecord& gateway, std::string_view uid, Resource value, bool answered, Now now);
  void node_out(GatewayRecord& gateway, std::string_view uid, Now now);
  void node_reset(GatewayRecord& gateway, std::string_view uid, Now now);

  /// A read or write for the node failed.
  void request_failed(std::string_view uid, const Error& error);
  /// Gives a node labels, or takes those away whose value is empty; false when the node is unknown.
  bool label(std::string_view uid, const std::vector<std::pair<std::string, std::string>>& labels);
  /// Removes a node for an operator; false when unknown. A node whose gateway still hears it comes back with
  /// its next message.
  bool forget(std::string_view uid);
  /// Forgets the nodes that are out and were last heard before `before`.
  void forget_out(WallTime before);

 private:
  Node* claim(GatewayRecord& gateway, std::string_view uid, Now now);
  [[nodiscard]] bool may_take(const Node& node, const GatewayRecord& gateway, Now now) const;
  void refuse(GatewayRecord& gateway, const Node& node);
  /// Makes the node live; true when clients had to be told that it is there.
  bool revive(Node& node);
  void tell_address(Node& node);
  void set_address(Node& node, std::string_view protocol, std::string_view address);
  void retire(Node& node, NodeState state);
  /// The same when its owner let it go: those that were refused it may have it.
  void lose(Node& node, NodeState state);
  void go_out(GatewayRecord& gateway, Node& node);
  void restart(Node& node, Now now);
  void sync_node(GatewayRecord& gateway, const wire::NodeSnapshot& snapshot, Now now);
  void take(GatewayRecord& gateway, std::span<const wire::Item> items, bool numbered, Now now);
  void update(GatewayRecord& gateway, const Update& update, bool numbered, Now now);
  void replay_update(GatewayRecord& gateway, const Update& update, Now now);
  /// The events that tell when a node came and went: at most one each time.
  void note_joined(Node& node, const GatewayRecord& gateway, WallTime time);
  void note_out(Node& node, const GatewayRecord& gateway, WallTime time);
  void note_reset(Node& node, const GatewayRecord& gateway, WallTime time);

  NodeTable& table_;
  Hub& hub_;
  EventSink& events_;
  Records& records_;
  Counters& counters_;
  log::Limiter full_;
};

/// A node that clients of pyaiot's wire see.
[[nodiscard]] inline bool visible(const Node& node) { return node.state == NodeState::live && !node.hidden; }

}  // namespace aiot::broker
