#include "daemon/broker/routing.h"

#include "core/codec/content_format.h"
#include "daemon/wire/json_reader.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>

/// What native gateways tell: their node table, and items with and without numbers.
namespace aiot::broker {
namespace {

/// A value of another JSON type than text, which pyaiot's MQTT and WebSocket gateways pass on as such; CoAP's
/// pass on every payload as text.
bool is_raw_json(const Node& node, const Update& update) {
  if (update.content_format != content_format::kJson || node.protocol == "CoAP") return false;
  wire::JsonReader reader(update.bytes);
  return reader.skip() && reader.finish();
}

/// What the broker notes by itself, and some of it for the record of who did what: no gateway's to say.
bool is_own_event(std::string_view type) {
  constexpr std::array kOwn = {"joined",
                               "out",
                               "reset",
                               "gateway_up",
                               "gateway_down",
                               "write",
                               "login",
                               "logout",
                               "gap",
                               "login_failed",
                               "stream_replaced",
                               "user_added",
                               "name_conflict",
                               "labelled",
                               "forgotten",
                               "access_changed",
                               "node_refused",
                               "node_handed_over",
                               "imported",
                               "store_damaged",
                               "store_failed",
                               "store_recovered"};
  return std::find(kOwn.begin(), kOwn.end(), type) != kOwn.end();
}

/// A gateway's notice, as an event.
Event event_of(const GatewayRecord& gateway, const wire::Notice& notice) {
  if (!is_own_event(notice.type)) return {notice.type, gateway.name, notice.uid, notice.message, notice.time};
  return {"notice", gateway.name, notice.uid, fmt::format("{}: {}", notice.type, notice.message),
          notice.time};
}

WallTime or_now(WallTime time, Now now) { return time == WallTime{} ? now.wall : time; }

}  // namespace

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
  const WallTime first_seen = std::min(node->first_seen, or_now(snapshot.first_seen, now));
  if (first_seen != node->first_seen) records_.changed(*node);
  node->first_seen = first_seen;
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
      continue;
    }
    if (result == NodeTable::SetResult::changed) records_.last_value(*node, *stored);
    if (!std::exchange(stored->told, true) || result == NodeTable::SetResult::changed) {
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
      if (numbered) self.note_joined(*node, gateway, node->last_seen);
    }
    void operator()(const wire::NodeOut& out) const {
      Node* node = self.table_.find(out.uid);
      if (node == nullptr || node->owner != &gateway) return;
      if (numbered) self.note_out(*node, gateway, or_now(out.time, now));
      self.go_out(gateway, *node);
    }
    void operator()(const wire::NodeReset& reset) const {
      Node* node = self.claim(gateway, reset.uid, now);
      if (node == nullptr) return;
      if (!reset.protocol.empty()) self.set_address(*node, reset.protocol, reset.address);
      self.restart(*node, now);
      self.tell_address(*node);
      if (numbered) self.note_reset(*node, gateway, or_now(reset.time, now));
    }
    void operator()(const wire::Notice& notice) const { self.events_.event(event_of(gateway, notice)); }
  };
  const Visitor visitor{*this, gateway, numbered, now};
  for (const wire::Item& item : items) std::visit(visitor, item);
}

void Routing::replay(GatewayRecord& gateway, std::span<const wire::Item> items, Now now) {
  gateway.last_seen = now.wall;
  struct Visitor {
    Routing& self;
    GatewayRecord& gateway;
    Now now;
    [[nodiscard]] Node* own(const std::string& uid) const {
      Node* node = self.table_.find(uid);
      return node != nullptr && share_nodes(*node->owner, gateway) ? node : nullptr;
    }
    void operator()(const Update& update) const { self.replay_update(gateway, update, now); }
    void operator()(const wire::NodeJoined& joined) const {
      if (Node* node = own(joined.uid)) self.note_joined(*node, gateway, or_now(joined.time, now));
    }
    void operator()(const wire::NodeOut& out) const {
      if (Node* node = own(out.uid)) self.note_out(*node, gateway, or_now(out.time, now));
    }
    void operator()(const wire::NodeReset& reset) const {
      if (Node* node = own(reset.uid)) self.note_reset(*node, gateway, or_now(reset.time, now));
    }
    void operator()(const wire::Notice& notice) const { self.events_.event(event_of(gateway, notice)); }
  };
  const Visitor visitor{*this, gateway, now};
  for (const wire::Item& item : items) std::visit(visitor, item);
}

void Routing::replay_update(GatewayRecord& gateway, const Update& update, Now now) {
  // A node may have gone over to another gateway since; it stays there, and what it said here is its history.
  Node* node = table_.find(update.uid);
  if (node == nullptr) {
    node = claim(gateway, update.uid, now);  // it is out since
  } else if (node->owner != &gateway && !share_nodes(*node->owner, gateway)) {
    refuse(gateway, *node);
    node = nullptr;
  }
  const std::size_t protocol = protocol_index(node != nullptr ? std::string_view(node->protocol) : "");
  ++counters_.received[protocol];
  ++gateway.updates;
  if (node == nullptr) {
    counters_.drop(table_.find(update.uid) != nullptr ? Drop::not_owner : Drop::table_full);
    return;
  }
  ++counters_.stored[protocol];
  Update dated = update;
  dated.time = or_now(update.time, now);
  records_.past_update(*node, dated, is_raw_json(*node, update));
}

void Routing::note_joined(Node& node, const GatewayRecord& gateway, WallTime time) {
  if (!std::exchange(node.noted_out, false)) return;
  events_.event({"joined", gateway.name, node.uid,
                 fmt::format("node {} joined at gateway {}, {} {}", node.uid, gateway.name, node.protocol,
                             node.address),
                 time});
}

void Routing::note_out(Node& node, const GatewayRecord& gateway, WallTime time) {
  if (std::exchange(node.noted_out, true)) return;
  events_.event({"out", gateway.name, node.uid,
                 fmt::format("node {} of gateway {} is out", node.uid, gateway.name), time});
}

void Routing::note_reset(Node& node, const GatewayRecord& gateway, WallTime time) {
  ++node.resets;
  records_.changed(node);
  events_.event({"reset", gateway.name, node.uid,
                 fmt::format("node {} of gateway {} restarted", node.uid, gateway.name), time});
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
  const WallTime time = or_now(update.time, now);
  if (numbered) node->count_update(time);
  node->last_seen = time;
  if (revive(*node)) tell_address(*node);
  if (numbered) note_joined(*node, gateway, time);
  Resource* stored = nullptr;
  table_.set(*node,
             Resource{update.resource, update.bytes, node->last_seen, update.content_format,
                      is_raw_json(*node, update), update.time_uncertain},
             stored);
  if (stored == nullptr) {
    if (numbered) counters_.drop(Drop::table_full);
    return;
  }
  if (numbered) {
    ++counters_.stored[protocol];
    records_.update(*node, *stored);
  }
  stored->told = true;
  stored->sequence = update.sequence;
  hub_.updated(*node, *stored);
}

}  // namespace aiot::broker
