#include "daemon/store/names.h"

namespace aiot::store {
namespace {

void put(Group& group, Change change, std::size_t name_bytes) {
  group.changes.push_back(std::move(change));
  group.change_bytes += sizeof(Change) + name_bytes;
}

}  // namespace

Names::Nodes::value_type& Names::entry(std::string_view uid, Group& group) {
  if (latest_ != nullptr && latest_->first == uid) return *latest_;
  auto at = nodes_.find(uid);
  if (at == nodes_.end()) {
    at = nodes_.emplace(uid, Node{next_node_++, {}}).first;
    put(group, NodeName{at->second.id, at->first}, uid.size());
  }
  latest_ = &*at;
  return *at;
}

NodeId Names::node(std::string_view uid, Group& group) { return entry(uid, group).second.id; }

SeriesId Names::series(std::string_view uid, std::string_view resource, Group& group) {
  Node& node = entry(uid, group).second;
  const auto found = node.resources.find(resource);
  if (found != node.resources.end()) return found->second;
  const SeriesId id = next_series_++;
  node.resources.emplace(resource, id);
  put(group, SeriesName{id, node.id, std::string(resource)}, resource.size());
  return id;
}

std::optional<NodeId> Names::find(std::string_view uid) const {
  const auto at = nodes_.find(uid);
  return at == nodes_.end() ? std::nullopt : std::optional(at->second.id);
}

std::optional<SeriesId> Names::find(std::string_view uid, std::string_view resource) const {
  const auto at = nodes_.find(uid);
  if (at == nodes_.end()) return std::nullopt;
  const auto found = at->second.resources.find(resource);
  return found == at->second.resources.end() ? std::nullopt : std::optional(found->second);
}

void Names::forget(std::string_view uid) {
  const auto at = nodes_.find(uid);
  if (at == nodes_.end()) return;
  latest_ = nullptr;
  nodes_.erase(at);
}

void Names::load(const std::vector<NodeName>& nodes, const std::vector<SeriesName>& series, NodeId next_node,
                 SeriesId next_series) {
  next_node_ = next_node;
  next_series_ = next_series;
  std::unordered_map<NodeId, Node*> by_id;
  for (const auto& node : nodes) {
    auto& entry = nodes_[node.uid];
    entry.id = node.id;
    by_id[node.id] = &entry;
  }
  for (const auto& one : series) {
    if (const auto found = by_id.find(one.node); found != by_id.end())
      found->second->resources.emplace(one.resource, one.id);
  }
}

void Names::declare(Group& group) const {
  for (const auto& [uid, node] : nodes_) {
    put(group, NodeName{node.id, uid}, uid.size());
    for (const auto& [resource, id] : node.resources)
      put(group, SeriesName{id, node.id, resource}, resource.size());
  }
}

}  // namespace aiot::store
