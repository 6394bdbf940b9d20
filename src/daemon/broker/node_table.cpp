#include "daemon/broker/node_table.h"

#include <utility>

namespace aiot::broker {

const Resource* Node::find(std::string_view name) const {
  for (const Resource& resource : resources) {
    if (resource.name == name) return &resource;
  }
  return nullptr;
}

void Node::count_update(WallTime time) {
  constexpr double kWeight = 0.2;
  if (last_seen != WallTime{} && time > last_seen) {
    const double gap = std::chrono::duration<double>(time - last_seen).count();
    interval_s = interval_s == 0 ? gap : interval_s + kWeight * (gap - interval_s);
  }
}

NodeTable::NodeTable(std::size_t max_of_gateway) : max_of_gateway_(max_of_gateway) {}
NodeTable::~NodeTable() = default;

Node* NodeTable::find(std::string_view uid) {
  const auto found = by_uid_.find(uid);
  return found == by_uid_.end() ? nullptr : found->second;
}

const Node* NodeTable::find(std::string_view uid) const {
  const auto found = by_uid_.find(uid);
  return found == by_uid_.end() ? nullptr : found->second;
}

bool NodeTable::make_room() {
  if (by_uid_.size() < kMaxNodes) return true;
  // Goes round, so that a full table costs one look a node and not one scan a node.
  for (std::size_t looked = 0; looked < slots_.size(); ++looked) {
    evict_at_ = (evict_at_ + 1) % slots_.size();
    Node* node = slots_[evict_at_].get();
    if (node != nullptr && (node->hidden || node->state == NodeState::out)) {
      remove(*node);
      return true;
    }
  }
  return false;
}

Node* NodeTable::create(std::string_view uid, GatewayRecord& owner) {
  if (owner.nodes >= max_of_gateway_ || !make_room()) return nullptr;
  std::uint32_t slot = 0;
  if (free_.empty()) {
    slot = static_cast<std::uint32_t>(slots_.size());
    slots_.emplace_back();
    if (slot / kNodesPerBlock >= versions_.size()) versions_.push_back(1);
  } else {
    slot = free_.back();
    free_.pop_back();
  }
  slots_[slot] = std::make_unique<Node>();
  Node& node = *slots_[slot];
  node.uid = uid;
  node.serial = ++serials_;
  node.slot = slot;
  node.owner = &owner;
  ++owner.nodes;
  by_uid_.emplace(node.uid, &node);
  bytes_ += sizeof(Node) + node.uid.size();
  mark(node);
  return &node;
}

void NodeTable::remove(Node& node) {
  clear_resources(node);
  mark(node);
  bytes_ -= sizeof(Node) + node.uid.size();
  --node.owner->nodes;
  by_uid_.erase(node.uid);
  free_.push_back(node.slot);
  slots_[node.slot].reset();
}

void NodeTable::set_owner(Node& node, GatewayRecord& owner) {
  --node.owner->nodes;
  node.owner = &owner;
  ++owner.nodes;
}

NodeTable::SetResult NodeTable::set(Node& node, Resource value, Resource*& stored) {
  stored = nullptr;
  for (Resource& resource : node.resources) {
    if (resource.name != value.name) continue;
    if (value.bytes.size() > resource.bytes.size() &&
        bytes_ + value.bytes.size() - resource.bytes.size() > kMaxTableBytes) {
      return SetResult::full;
    }
    bytes_ += value.bytes.size();
    bytes_ -= resource.bytes.size();
    const bool same = resource.bytes == value.bytes && resource.content_format == value.content_format &&
                      resource.raw_json == value.raw_json;
    if (!same) {
      resource.bytes = std::move(value.bytes);
      resource.content_format = value.content_format;
      resource.raw_json = value.raw_json;
      mark(node);
    }
    resource.time = value.time;
    resource.time_uncertain = value.time_uncertain;
    resource.sequence = value.sequence;
    stored = &resource;
    return same ? SetResult::same : SetResult::changed;
  }
  const std::size_t size = sizeof(Resource) + value.name.size() + value.bytes.size();
  if (node.resources.size() >= kMaxResourcesPerNode || bytes_ + size > kMaxTableBytes) return SetResult::full;
  bytes_ += size;
  if (node.resources.empty()) node.resources.reserve(6);
  node.resources.push_back(std::move(value));
  stored = &node.resources.back();
  stored->told = false;
  mark(node);
  return SetResult::changed;
}

void NodeTable::clear_resources(Node& node) {
  for (const Resource& resource : node.resources) {
    bytes_ -= sizeof(Resource) + resource.name.size() + resource.bytes.size();
  }
  node.resources.clear();
  node.resources.shrink_to_fit();
  mark(node);
}

GatewayRecord& NodeTable::gateway(std::string_view name) {
  auto& record = gateways_[std::string(name)];
  if (!record) {
    record = std::make_unique<GatewayRecord>();
    record->name = name;
    record->serial = ++serials_;
  }
  return *record;
}

GatewayRecord* NodeTable::find_gateway(std::string_view name) {
  const auto found = gateways_.find(std::string(name));
  return found == gateways_.end() ? nullptr : found->second.get();
}

void NodeTable::drop_idle_gateways() {
  std::erase_if(gateways_,
                [](const auto& entry) { return entry.second->link == nullptr && entry.second->nodes == 0; });
}

}  // namespace aiot::broker
