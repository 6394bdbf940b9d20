#include <utility>

#include "daemon/broker/routing.h"

/// What gateways on pyaiot's wire tell.
namespace aiot::broker {

void Routing::node_new(GatewayRecord& gateway, std::string_view uid, bool answered, Now now) {
  gateway.last_seen = now.wall;
  Node* node = claim(gateway, uid, now);
  if (node == nullptr) return;
  if (!answered) node->last_seen = now.wall;
  if (node->last_seen == WallTime{}) node->last_seen = now.wall;
  revive(*node);
  note_joined(*node, gateway, now.wall);
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
  if (!answered) node->count_update(now.wall);
  if (!answered || node->last_seen == WallTime{}) node->last_seen = now.wall;
  revive(*node);
  note_joined(*node, gateway, now.wall);

  // What the native wire tells with the node itself, pyaiot's tells as values.
  if (value.name == "ip" || value.name == "id") {
    const AddressKind kind = value.name == "ip" ? AddressKind::ip : AddressKind::id;
    const bool changed = node->address != value.bytes || node->address_kind != kind;
    if (changed) {
      node->address = std::move(value.bytes);
      node->address_kind = kind;
      table_.mark(*node);
      records_.changed(*node);
    }
    if (!std::exchange(node->address_told, true) || changed || !answered) hub_.addressed(*node);
    return;
  }
  if (value.name == "protocol") {
    const bool changed = node->protocol != value.bytes;
    if (changed) {
      node->protocol = std::move(value.bytes);
      table_.mark(*node);
      records_.changed(*node);
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
  if (!answered) {
    ++counters_.stored[protocol];
    records_.update(*node, *stored);
  } else if (result == NodeTable::SetResult::changed) {
    records_.last_value(*node, *stored);
  }
  if (!std::exchange(stored->told, true) || result == NodeTable::SetResult::changed || !answered) {
    hub_.updated(*node, *stored);
  }
}

void Routing::node_out(GatewayRecord& gateway, std::string_view uid, Now now) {
  gateway.last_seen = now.wall;
  Node* node = table_.find(uid);
  if (node == nullptr || node->owner != &gateway || node->state == NodeState::out) return;
  note_out(*node, gateway, now.wall);
  go_out(gateway, *node);
}

void Routing::node_reset(GatewayRecord& gateway, std::string_view uid, Now now) {
  gateway.last_seen = now.wall;
  Node* node = claim(gateway, uid, now);
  if (node == nullptr) return;
  restart(*node, now);
  note_reset(*node, gateway, now.wall);
}

}  // namespace aiot::broker
