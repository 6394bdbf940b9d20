#include "daemon/broker/routing.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "core/base/text.h"

namespace aiot::broker {
namespace {

AddressKind kind_for(std::string_view protocol) {
  if (protocol == "CoAP") return AddressKind::ip;
  return protocol == "WebSocket" ? AddressKind::none : AddressKind::id;
}

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
  records_.gateway(gateway);
  hub_.gateway_up(gateway);
  events_.event(
      {"gateway_up", gateway.name, {}, fmt::format("gateway {} connected from {}", who.name, who.peer)});
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
  records_.gateway(gateway);
  events_.event({"gateway_down",
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
    if (node == nullptr) {
      if (full_.allow()) {
        log::warn("node '{}' of gateway {} is not taken: {}", text::escape_controls(uid),
                  text::escape_controls(gateway.name),
                  gateway.nodes >= table_.max_of_gateway()
                      ? fmt::format("a gateway may have {} nodes", table_.max_of_gateway())
                      : std::string("the broker has all the nodes it can hold"));
      }
      return nullptr;
    }
    node->state = NodeState::out;  // until it is told
    node->first_seen = now.wall;
    records_.changed(*node);
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
    records_.changed(*node);
  }
  node->heard = now.mono;
  return node;
}

bool Routing::revive(Node& node) {
  if (visible(node)) return false;
  node.state = NodeState::live;
  node.hidden = false;
  table_.mark(node);
  records_.changed(node);
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
    records_.changed(node);
  }
  if (node.address != address || node.address_kind != kind_for(protocol)) {
    node.address = address;
    node.address_kind = kind_for(protocol);
    node.address_told = false;
    table_.mark(node);
    records_.changed(node);
  }
}

void Routing::retire(Node& node, NodeState state) {
  const bool was_visible = visible(node);
  const bool given_up = node.state == NodeState::stale && state == NodeState::out;
  if (node.state != state) records_.changed(node);
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

void Routing::request_failed(std::string_view uid, const Error& error) {
  Node* node = table_.find(uid);
  if (node == nullptr) return;
  if (error.outcome == Outcome::rejected) {
    ++node->rejected_writes;
  } else if (error.code == Errc::timeout) {
    ++node->timeouts;
  } else {
    return;
  }
  records_.changed(*node);
}

bool Routing::label(std::string_view uid, const std::vector<std::pair<std::string, std::string>>& labels) {
  Node* node = table_.find(uid);
  if (node == nullptr || node->hidden) return false;
  for (const auto& [name, value] : labels) {
    const auto at =
        std::lower_bound(node->labels.begin(), node->labels.end(), name,
                         [](const auto& each, const std::string& wanted) { return each.first < wanted; });
    const bool there = at != node->labels.end() && at->first == name;
    if (value.empty()) {
      if (there) node->labels.erase(at);
    } else if (there) {
      at->second = value;
    } else {
      node->labels.insert(at, {name, value});
    }
  }
  records_.changed(*node);
  hub_.labelled(*node);
  return true;
}

void Routing::go_out(GatewayRecord& gateway, Node& node) {
  if (node.owner != &gateway || node.state == NodeState::out) return;
  lose(node, NodeState::out);
}

void Routing::restart(Node& node, Now now) {
  node.last_seen = now.wall;
  if (revive(node)) return;
  node.address_told = node.protocol_told = false;
  hub_.restarted(node);
}

void Routing::forget_out(WallTime before) {
  std::vector<std::string> uids;
  for (const auto& node : table_.slots())
    if (node && node->state == NodeState::out && !node->hidden && node->last_seen < before)
      uids.push_back(node->uid);
  for (const auto& uid : uids) forget(uid);
}

bool Routing::forget(std::string_view uid) {
  Node* node = table_.find(uid);
  if (node == nullptr || node->hidden) return false;
  hub_.forgotten(*node);
  if (node->owner->link == nullptr || node->state == NodeState::out) {
    retire(*node, NodeState::out);
    records_.forgotten(uid);
    table_.remove(*node);
    table_.drop_idle_gateways();
    return true;
  }
  // Its gateway may speak of it any moment without telling its address again: kept out of sight until then.
  retire(*node, NodeState::out);
  records_.forgotten(uid);
  node->hidden = true;
  node->noted_out = true;
  node->resets = node->timeouts = node->rejected_writes = 0;
  node->labels.clear();
  table_.clear_resources(*node);
  records_.changed(*node);
  return true;
}

}  // namespace aiot::broker
