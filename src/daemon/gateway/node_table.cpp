#include "daemon/gateway/node_table.h"

#include <algorithm>

namespace aiot::gateway {

std::string_view to_string(Protocol protocol) {
  static constexpr std::array<std::string_view, 4> kNames = {"CoAP", "MQTT", "MQTT-SN", "WebSocket"};
  return kNames[static_cast<std::size_t>(protocol)];
}

std::optional<Protocol> parse_protocol(std::string_view name) {
  for (const auto protocol : {Protocol::coap, Protocol::mqtt, Protocol::mqttsn, Protocol::websocket})
    if (to_string(protocol) == name) return protocol;
  return std::nullopt;
}

Resource* Node::find(std::string_view name) {
  for (auto& resource : resources)
    if (resource.name == name) return &resource;
  return nullptr;
}

void Lane::append(Node& node) {
  node.lane_ = this;
  node.older_ = newest;
  node.newer_ = nullptr;
  (newest != nullptr ? newest->newer_ : oldest) = &node;
  newest = &node;
  ++count;
}

void Lane::remove(Node& node) {
  (node.older_ != nullptr ? node.older_->newer_ : oldest) = node.newer_;
  (node.newer_ != nullptr ? node.newer_->older_ : newest) = node.older_;
  node.older_ = node.newer_ = nullptr;
  node.lane_ = nullptr;
  --count;
}

Node* NodeTable::find(std::string_view uid) {
  const auto found = nodes_.find(uid);
  return found == nodes_.end() ? nullptr : found->second.get();
}

Node* NodeTable::at_source(const SocketAddress& source) {
  if (const auto found = by_port_.find(source); found != by_port_.end()) return found->second;
  const auto host = by_host_.find(source.with_port(0));
  return host == by_host_.end() ? nullptr : host->second.back();
}

Node* NodeTable::only_at(const SocketAddress& address) {
  const auto host = by_host_.find(address.with_port(0));
  if (host == by_host_.end()) return nullptr;
  Node* only = host->second.size() == 1 ? host->second.front() : nullptr;
  for (Node* node : host->second) {
    if (!node->live) continue;
    if (only != nullptr && only != node) return nullptr;
    only = node;
  }
  return only;
}

std::size_t NodeTable::count_at(const SocketAddress& address) const {
  const auto host = by_host_.find(address.with_port(0));
  return host == by_host_.end() ? 0 : host->second.size();
}

Node* NodeTable::add(std::string_view uid, Duration lifetime) {
  if (nodes_.size() >= limits_.nodes) {
    for (Node* node = out_.oldest; node != nullptr; node = node->newer_) {
      if (node->named) continue;
      forget(*node);
      break;
    }
    if (nodes_.size() >= limits_.nodes) return nullptr;
  }
  auto node = std::make_unique<Node>();
  node->uid = uid;
  node->lifetime_ = lifetime;
  out_.append(*node);
  Node* raw = node.get();
  nodes_.emplace(std::string_view(raw->uid), std::move(node));
  return raw;
}

void NodeTable::place(Node& node, const SocketAddress& source) {
  if (node.address.empty() || !same_host(node.address, source)) {
    unplace(node);
    node.answers_at_source = false;
  }
  node.address = source;
  auto& here = by_host_[source.with_port(0)];
  if (here.empty() || here.back() != &node) {
    if (const auto at = std::find(here.begin(), here.end(), &node); at != here.end()) here.erase(at);
    here.push_back(&node);
  }
  if (node.ports_[0] == source.port() && by_port_[source] == &node) return;
  // Newest first; the oldest of four makes room, so that changing ports cost a bounded amount.
  auto at = std::find(node.ports_.begin(), node.ports_.end(), source.port());
  if (at == node.ports_.end()) {
    at = std::prev(node.ports_.end());
    if (*at != 0) {
      const auto old = by_port_.find(source.with_port(*at));
      if (old != by_port_.end() && old->second == &node) by_port_.erase(old);
    }
    *at = source.port();
  }
  std::rotate(node.ports_.begin(), at, std::next(at));
  by_port_[source] = &node;
}

void NodeTable::unplace(Node& node) {
  if (node.address.empty()) return;
  for (auto& port : node.ports_) {
    if (port == 0) continue;
    const auto entry = by_port_.find(node.address.with_port(port));
    if (entry != by_port_.end() && entry->second == &node) by_port_.erase(entry);
    port = 0;
  }
  const auto host = by_host_.find(node.address.with_port(0));
  if (host != by_host_.end()) {
    std::erase(host->second, &node);
    if (host->second.empty()) by_host_.erase(host);
  }
  node.address = {};
}

void NodeTable::revive(Node& node) {
  if (node.live) return;
  out_.remove(node);
  node.live = true;
  lane_for(node.lifetime_).append(node);
}

void NodeTable::retire(Node& node) {
  if (!node.live) return;
  node.lane_->remove(node);
  node.live = false;
  out_.append(node);
  for (Node* old = out_.oldest; out_.count > limits_.out && old != nullptr;) {
    Node* next = old->newer_;
    if (!old->named && old != &node) forget(*old);
    old = next;
  }
}

Lane& NodeTable::lane_for(Duration lifetime) {
  auto& lane = lanes_[lifetime];
  lane.lifetime = lifetime;
  return lane;
}

void NodeTable::set_lifetime(Node& node, Duration lifetime) {
  if (node.lifetime_ == lifetime) return;
  node.lifetime_ = lifetime;
  if (!node.live) return;
  Lane* old = node.lane_;
  old->remove(node);
  lane_for(lifetime).append(node);
  if (old->count == 0) lanes_.erase(old->lifetime);
}

void NodeTable::forget(Node& node) {
  unplace(node);
  if (node.lane_ != nullptr) node.lane_->remove(node);
  nodes_.erase(nodes_.find(node.uid));
}

Node* NodeTable::expired(TimePoint now) {
  for (auto& [lifetime, lane] : lanes_)
    if (lane.oldest != nullptr && lane.oldest->last_seen + lifetime <= now) return lane.oldest;
  return nullptr;
}

std::optional<TimePoint> NodeTable::next_expiry() const {
  std::optional<TimePoint> next;
  for (const auto& [lifetime, lane] : lanes_) {
    if (lane.oldest == nullptr) continue;
    const auto at = lane.oldest->last_seen + lifetime;
    if (!next || at < *next) next = at;
  }
  return next;
}

std::vector<std::string> NodeTable::uids(bool live_only) const {
  std::vector<std::string> out;
  out.reserve(live_only ? live() : size());
  for (const auto& [uid, node] : nodes_)
    if (node->live || !live_only) out.push_back(node->uid);
  return out;
}

}  // namespace aiot::gateway
