#include "daemon/broker/routing.h"

#include "core/codec/content_format.h"
#include "daemon/wire/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace aiot::broker {
namespace {

/// A value of another JSON type than text, which pyaiot's MQTT and WebSocket gateways pass on as such; CoAP's
/// pass on every payload as text.
bool is_raw_json(const Node& node, const Update& update) {
  if (update.content_format != content_format::kJson || node.protocol == "CoAP") return false;
  wire::JsonReader reader(update.bytes);
  return reader.skip() && reader.finish();
}

/// Gateways of one site; pyaiot's, which know no sites, are of everyone's, so that ours can take their place.
bool share_nodes(const GatewayRecord& a, const GatewayRecord& b) {
  return a.site == b.site || a.site.empty() || b.site.empty();
}

AddressKind kind_for(std::string_view protocol) {
  if (protocol == "CoAP") return AddressKind::ip;
  return protocol == "WebSocket" ? AddressKind::none : AddressKind::id;
}

WallTime or_now(WallTime time, Now now) { return time == WallTime{} ? now.wall : time; }

}  // namespace

GatewayRecord& Routing::connected(const GatewayIdentity& who, GatewayLink& link, Now now) {
  GatewayRecord& gateway = table_.gateway(who.name);
  if (gateway.link != nullptr) {
    events_.event({"name_conflict",
                   gateway.name,
                   {},
                   fmt::format("a second gateway named {} connected from {}; the one from {} was closed",
                               who.name, who.peer, gateway.peer)});
    std::exchange(gateway.link, nullptr)->replaced();
  }
  gateway.site = who.site;
  gateway.stream = who.stream;
  gateway.software = who.software;
  gateway.peer = who.peer;
  gateway.native = who.native;
  gateway.link = &link;
  gateway.connected_since = gateway.last_seen = now.wall;
  hub_.gateway_up(gateway);
  return gateway;
}

void Routing::disconnected(GatewayRecord& gateway, const GatewayLink& link) {
  if (gateway.link != &link) return;
  gateway.link = nullptr;
  std::size_t stale = 0;
  for (const auto& node : table_.slots()) {
    if (!node || node->owner != &gateway || node->state != NodeState::live) continue;
    lose(*node, NodeState::stale);
    ++stale;
  }
  events_.event({"gateway_gone",
                 gateway.name,
                 {},
                 fmt::format("gateway {} disconnected; {} nodes are stale", gateway.name, stale)});
  hub_.gateway_down(gateway);
  table_.drop_idle_gateways();
}

std::string Routing::free_name(std::string_view base) const {
  std::string name(base);
  for (unsigned i = 2;; ++i) {
    const GatewayRecord* taken = table_.find_gateway(name);
    if (taken == nullptr || taken->link == nullptr) return name;
    name = fmt::format("{}-{}", base, i);
  }
}

bool Routing::may_take(const Node& node, const GatewayRecord& gateway, Now now) const {
  if (node.hidden) return true;
  const GatewayRecord& owner = *node.owner;
  if (!share_nodes(owner, gateway)) return false;
  return owner.link == nullptr || node.state == NodeState::out || now.mono - node.heard > kHandoverSilence;
}

void Routing::refuse(GatewayRecord& gateway, const Node& node) {
  if (gateway.link == nullptr) return;
  const GatewayRecord& owner = *node.owner;
  gateway.link->refuse(node.uid, share_nodes(owner, gateway)
                                     ? fmt::format("gateway {} owns it", owner.name)
                                     : fmt::format("gateway {} of site {} owns it", owner.name, owner.site));
}

Node* Routing::claim(GatewayRecord& gateway, std::string_view uid, Now now) {
  Node* node = table_.find(uid);
  if (node == nullptr) {
    node = table_.create(uid, gateway);
    if (node == nullptr) return nullptr;
    node->state = NodeState::out;  // until it is told
    node->first_seen = now.wall;
  } else if (node->owner != &gateway) {
    if (!may_take(*node, gateway, now)) {
      refuse(gateway, *node);
      return nullptr;
    }
    events_.event(
        {"node_handed_over", gateway.name, node->uid,
         fmt::format("node {} went from gateway {} to {}", node->uid, node->owner->name, gateway.name)});
    table_.set_owner(*node, gateway);
    if (visible(*node)) hub_.handed_over(*node);
  }
  node->heard = now.mono;
  return node;
}

bool Routing::revive(Node& node) {
  if (visible(node)) return false;
  node.state = NodeState::live;
  node.hidden = false;
  table_.mark(node);
  hub_.joined(node);
  return true;
}

void Routing::tell_address(Node& node) {
  if (!std::exchange(node.address_told, true) && node.address_kind != AddressKind::none &&
      !node.address.empty()) {
    hub_.addressed(node);
  }
  if (!std::exchange(node.protocol_told, true) && !node.protocol.empty()) hub_.protocol_told(node);
}

void Routing::set_address(Node& node, std::string_view protocol, std::string_view address) {
  if (node.protocol != protocol) {
    node.protocol = protocol;
    node.protocol_told = false;
    table_.mark(node);
  }
  if (node.address != address || node.address_kind != kind_for(protocol)) {
    node.address = address;
    node.address_kind = kind_for(protocol);
    node.address_told = false;
    table_.mark(node);
  }
}

void Routing::retire(Node& node, NodeState state) {
  const bool was_visible = visible(node);
  const bool given_up = node.state == NodeState::stale && state == NodeState::out;
  node.state = state;
  node.address_told = node.protocol_told = false;
  for (Resource& resource : node.resources) resource.told = false;
  if (!was_visible && !given_up) return;
  table_.mark(node);
  was_visible ? hub_.gone(node) : hub_.given_up(node);
}

void Routing::lose(Node& node, NodeState state) {
  retire(node, state);
  for (const auto& [name, other] : table_.gateways()) {
    if (other.get() != node.owner && other->link != nullptr && share_nodes(*other, *node.owner))
      other->link->freed(node.uid);
  }
}

void Routing::sync(GatewayRecord& gateway, const wire::Sync& sync, bool first, Now now) {
  gateway.last_seen = now.wall;
  if (first) ++gateway.sync_epoch;
  for (const wire::NodeSnapshot& node : sync.nodes) sync_node(gateway, node, now);
  if (!sync.last) return;
  for (const auto& node : table_.slots()) {
    if (node && node->owner == &gateway && node->sync_epoch != gateway.sync_epoch &&
        node->state != NodeState::out) {
      lose(*node, NodeState::out);
    }
  }
}

void Routing::sync_node(GatewayRecord& gateway, const wire::NodeSnapshot& snapshot, Now now) {
  Node* node = claim(gateway, snapshot.uid, now);
  if (node == nullptr) return;
  node->sync_epoch = gateway.sync_epoch;
  node->first_seen = std::min(node->first_seen, or_now(snapshot.first_seen, now));
  node->last_seen = or_now(snapshot.last_seen, now);
  set_address(*node, snapshot.protocol, snapshot.address);
  revive(*node);
  tell_address(*node);
  for (const Update& update : snapshot.values) {
    Resource* stored = nullptr;
    const auto result =
        table_.set(*node,
                   Resource{update.resource, update.bytes, or_now(update.time, now), update.content_format,
                            is_raw_json(*node, update), update.time_uncertain},
                   stored);
    if (stored == nullptr) {
      counters_.drop(Drop::table_full);
    } else if (!std::exchange(stored->told, true) || result == NodeTable::SetResult::changed) {
      hub_.updated(*node, *stored);
    }
  }
}

void Routing::apply(GatewayRecord& gateway, std::span<const wire::Item> items, Now now) {
  take(gateway, items, true, now);
}

void Routing::show(GatewayRecord& gateway, std::span<const wire::Item> items, Now now) {
  take(gateway, items, false, now);
}

void Routing::take(GatewayRecord& gateway, std::span<const wire::Item> items, bool numbered, Now now) {
  gateway.last_seen = now.wall;
  struct Visitor {
    Routing& self;
    GatewayRecord& gateway;
    bool numbered;
    Now now;
    void operator()(const Update& update) const { self.update(gateway, update, numbered, now); }
    void operator()(const wire::NodeJoined& joined) const {
      Node* node = self.claim(gateway, joined.uid, now);
      if (node == nullptr) return;
      node->sync_epoch = gateway.sync_epoch;
      node->last_seen = or_now(joined.time, now);
      self.set_address(*node, joined.protocol, joined.address);
      self.revive(*node);
      self.tell_address(*node);
    }
    void operator()(const wire::NodeOut& out) const { self.node_out(gateway, out.uid, now); }
    void operator()(const wire::NodeReset& reset) const {
      Node* node = self.claim(gateway, reset.uid, now);
      if (node == nullptr) return;
      if (!reset.protocol.empty()) self.set_address(*node, reset.protocol, reset.address);
      self.node_reset(gateway, reset.uid, now);
      self.tell_address(*node);
    }
    void operator()(const wire::Notice& notice) const {
      self.events_.event({notice.type, gateway.name, notice.uid, notice.message});
    }
  };
  const Visitor visitor{*this, gateway, numbered, now};
  for (const wire::Item& item : items) std::visit(visitor, item);
}

void Routing::replay(GatewayRecord& gateway, std::span<const wire::Item> items, Now now) {
  gateway.last_seen = now.wall;
  for (const wire::Item& item : items) {
    if (const auto* update = std::get_if<Update>(&item)) {
      replay_update(gateway, *update, now);
    } else if (const auto* notice = std::get_if<wire::Notice>(&item)) {
      events_.event({notice->type, gateway.name, notice->uid, notice->message});
    }
  }
}

void Routing::replay_update(GatewayRecord& gateway, const Update& update, Now now) {
  // A node may have gone over to another gateway since; it stays there, and what it said here is its history.
  Node* node = table_.find(update.uid);
  if (node != nullptr && node->owner != &gateway && !share_nodes(*node->owner, gateway)) {
    refuse(gateway, *node);
    node = nullptr;
  } else if (node == nullptr) {
    node = claim(gateway, update.uid, now);  // it is out since
  }
  const std::size_t protocol = protocol_index(node != nullptr ? std::string_view(node->protocol) : "");
  ++counters_.received[protocol];
  ++gateway.updates;
  if (node == nullptr) {
    counters_.drop(table_.find(update.uid) != nullptr ? Drop::not_owner : Drop::table_full);
    return;
  }
  ++counters_.stored[protocol];
}

void Routing::update(GatewayRecord& gateway, const Update& update, bool numbered, Now now) {
  Node* node = claim(gateway, update.uid, now);
  const std::size_t protocol = protocol_index(node != nullptr ? std::string_view(node->protocol) : "");
  if (numbered) {
    ++counters_.received[protocol];
    ++gateway.updates;
  }
  if (node == nullptr) {
    if (numbered) counters_.drop(table_.find(update.uid) != nullptr ? Drop::not_owner : Drop::table_full);
    return;
  }
  node->sync_epoch = gateway.sync_epoch;
  node->last_seen = or_now(update.time, now);
  if (revive(*node)) tell_address(*node);
  Resource* stored = nullptr;
  table_.set(*node,
             Resource{update.resource, update.bytes, node->last_seen, update.content_format,
                      is_raw_json(*node, update), update.time_uncertain},
             stored);
  if (stored == nullptr) {
    if (numbered) counters_.drop(Drop::table_full);
    return;
  }
  if (numbered) ++counters_.stored[protocol];
  stored->told = true;
  stored->sequence = update.sequence;
  hub_.updated(*node, *stored);
}

void Routing::node_new(GatewayRecord& gateway, std::string_view uid, bool answered, Now now) {
  gateway.last_seen = now.wall;
  Node* node = claim(gateway, uid, now);
  if (node == nullptr) return;
  if (!answered) node->last_seen = now.wall;
  if (node->last_seen == WallTime{}) node->last_seen = now.wall;
  revive(*node);
}

void Routing::node_value(GatewayRecord& gateway, std::string_view uid, Resource value, bool answered,
                         Now now) {
  gateway.last_seen = now.wall;
  Node* node = claim(gateway, uid, now);
  const std::size_t protocol = protocol_index(node != nullptr ? std::string_view(node->protocol) : "");
  if (!answered) ++counters_.received[protocol];
  ++gateway.updates;
  if (node == nullptr) {
    counters_.drop(table_.find(uid) != nullptr ? Drop::not_owner : Drop::table_full);
    return;
  }
  if (!answered || node->last_seen == WallTime{}) node->last_seen = now.wall;
  revive(*node);

  // What the native wire tells with the node itself, pyaiot's tells as values.
  if (value.name == "ip" || value.name == "id") {
    const AddressKind kind = value.name == "ip" ? AddressKind::ip : AddressKind::id;
    const bool changed = node->address != value.bytes || node->address_kind != kind;
    if (changed) {
      node->address = std::move(value.bytes);
      node->address_kind = kind;
      table_.mark(*node);
    }
    if (!std::exchange(node->address_told, true) || changed || !answered) hub_.addressed(*node);
    return;
  }
  if (value.name == "protocol") {
    const bool changed = node->protocol != value.bytes;
    if (changed) {
      node->protocol = std::move(value.bytes);
      table_.mark(*node);
    }
    if (!std::exchange(node->protocol_told, true) || changed || !answered) hub_.protocol_told(*node);
    return;
  }
  Resource* stored = nullptr;
  const auto result = table_.set(*node, std::move(value), stored);
  if (stored == nullptr) {
    counters_.drop(Drop::table_full);
    return;
  }
  if (!answered) ++counters_.stored[protocol];
  if (!std::exchange(stored->told, true) || result == NodeTable::SetResult::changed || !answered) {
    hub_.updated(*node, *stored);
  }
}

void Routing::node_out(GatewayRecord& gateway, std::string_view uid, Now now) {
  gateway.last_seen = now.wall;
  Node* node = table_.find(uid);
  if (node == nullptr || node->owner != &gateway || node->state == NodeState::out) return;
  lose(*node, NodeState::out);
}

void Routing::node_reset(GatewayRecord& gateway, std::string_view uid, Now now) {
  gateway.last_seen = now.wall;
  Node* node = claim(gateway, uid, now);
  if (node == nullptr) return;
  node->last_seen = now.wall;
  if (revive(*node)) return;
  node->address_told = node->protocol_told = false;
  hub_.restarted(*node);
}

bool Routing::forget(std::string_view uid) {
  Node* node = table_.find(uid);
  if (node == nullptr || node->hidden) return false;
  hub_.forgotten(*node);
  if (node->owner->link == nullptr || node->state == NodeState::out) {
    retire(*node, NodeState::out);
    table_.remove(*node);
    table_.drop_idle_gateways();
    return true;
  }
  // Its gateway may speak of it any moment without telling its address again: kept out of sight until then.
  retire(*node, NodeState::out);
  node->hidden = true;
  table_.clear_resources(*node);
  return true;
}

}  // namespace aiot::broker
