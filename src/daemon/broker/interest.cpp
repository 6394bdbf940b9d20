#include "daemon/broker/interest.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "daemon/broker/client_v1_json.h"
#include "daemon/broker/feed.h"

namespace aiot::broker {
namespace {

bool is_pattern(const std::string& text) { return text.find('*') != std::string::npos; }

void normalize(std::vector<std::string>& patterns) {
  std::sort(patterns.begin(), patterns.end());
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
}

}  // namespace

std::string Interest::key(std::vector<std::string>& nodes, std::vector<std::string>& resources) {
  normalize(nodes);
  normalize(resources);
  // Any node matches "*"; a resource may have segments, which it does not pass.
  if (std::binary_search(nodes.begin(), nodes.end(), "*")) nodes.clear();
  std::string key;
  for (const auto* patterns : {&nodes, &resources}) {
    for (const std::string& pattern : *patterns) {
      key += std::to_string(pattern.size());
      key += ':';
      key += pattern;
    }
    key += ';';
  }
  return key;
}

Interest::Interest(std::vector<std::string> nodes, std::vector<std::string> resources)
    : nodes_(std::move(nodes)),
      resources_(std::move(resources)),
      literal_(!nodes_.empty() && std::none_of(nodes_.begin(), nodes_.end(), is_pattern)) {}

Interest::~Interest() = default;

bool Interest::wants_node(std::string_view uid) const {
  if (nodes_.empty()) return true;
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](const std::string& pattern) { return text::glob_match(pattern, uid); });
}

bool Interest::wants_resource(std::string_view name) const {
  if (resources_.empty()) return true;
  return std::any_of(resources_.begin(), resources_.end(),
                     [&](const std::string& pattern) { return text::path_match(pattern, name); });
}

void Interest::append_node(SnapshotPart& part, const Node& node) const {
  if (node.hidden || !wants_node(node.uid)) return;
  if (!part.nodes.empty()) part.nodes += ',';
  client_v1::append_node_head(part.nodes, node);
  for (const Resource& resource : node.resources) {
    if (!wants_resource(resource.name)) continue;
    if (part.nodes.back() != '[') part.nodes += ',';
    client_v1::append_value(part.nodes, resource);
    ++part.updates;
  }
  part.nodes += "]}";
}

SnapshotParts Interest::literal_snapshot(const NodeTable& table) const {
  SnapshotParts parts;
  for (std::size_t first = 0; first < nodes_.size(); first += kNodesPerBlock) {
    auto part = std::make_shared<SnapshotPart>();
    for (std::size_t i = first; i < std::min(nodes_.size(), first + kNodesPerBlock); ++i) {
      if (const Node* node = table.find(nodes_[i])) append_node(*part, *node);
    }
    if (!part->nodes.empty()) parts.push_back(std::move(part));
  }
  return parts;
}

SnapshotParts Interest::snapshot(const NodeTable& table, const std::vector<std::uint32_t>& touched) {
  if (literal_) return literal_snapshot(table);
  const auto& versions = table.block_versions();
  const auto& slots = table.slots();
  kept_.resize(versions.size());
  SnapshotParts parts;
  parts.reserve(kept_.size());
  for (std::size_t block = 0; block < kept_.size(); ++block) {
    const std::uint64_t version =
        static_cast<std::uint64_t>(versions[block]) << 32 | (block < touched.size() ? touched[block] : 0U);
    Kept& kept = kept_[block];
    if (kept.version != version) {
      auto part = std::make_shared<SnapshotPart>();
      const std::size_t end = std::min(slots.size(), (block + 1) * kNodesPerBlock);
      for (std::size_t slot = block * kNodesPerBlock; slot < end; ++slot) {
        if (slots[slot]) append_node(*part, *slots[slot]);
      }
      kept.part = part->nodes.empty() ? nullptr : std::move(part);
      kept.version = version;
    }
    parts.push_back(kept.part);
  }
  return parts;
}

void Interest::drop_snapshot() {
  kept_.clear();
  kept_.shrink_to_fit();
}

std::size_t Interest::snapshot_bytes() const {
  std::size_t sum = 0;
  for (const Kept& kept : kept_) sum += kept.part ? kept.part->nodes.capacity() : 0;
  return sum;
}

}  // namespace aiot::broker
