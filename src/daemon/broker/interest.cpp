#include "daemon/broker/interest.h"

#include <algorithm>
#include <utility>

#include "core/base/text.h"
#include "daemon/broker/client_v1_json.h"
#include "daemon/broker/feed.h"
#include "daemon/broker/follower_limits.h"

namespace aiot::broker {
namespace {

bool is_pattern(const std::string& text) { return text.find('*') != std::string::npos; }

/// Fills parts with nodes, and begins another where one has become large: also in the middle of a node, whose
/// head is then told again.
class SnapshotBuilder {
 public:
  SnapshotBuilder(const Interest& interest, SnapshotParts& parts) : interest_(interest), parts_(parts) {}

  void add(const Node& node) {
    if (node.hidden) return;
    SnapshotPart* part = &begin(node);
    for (const Resource& resource : node.resources) {
      if (!interest_.wants_resource(resource.name)) continue;
      if (part->nodes.size() > kMaxSnapshotBytes) {
        part->nodes += "]}";
        part = &begin(node);
      }
      if (part->nodes.back() != '[') part->nodes += ',';
      client_v1::append_value(part->nodes, resource);
      ++part->updates;
    }
    part->nodes += "]}";
  }

 private:
  SnapshotPart& begin(const Node& node) {
    if (!current_ || current_->nodes.size() > kMaxSnapshotBytes) {
      current_ = std::make_shared<SnapshotPart>();
      parts_.push_back(current_);
    }
    if (!current_->nodes.empty()) current_->nodes += ',';
    client_v1::append_node_head(current_->nodes, node);
    return *current_;
  }

  const Interest& interest_;
  SnapshotParts& parts_;
  std::shared_ptr<SnapshotPart> current_;
};

void normalize(std::vector<std::string>& patterns) {
  std::sort(patterns.begin(), patterns.end());
  patterns.erase(std::unique(patterns.begin(), patterns.end()), patterns.end());
}

}  // namespace

std::string Interest::key(std::vector<std::string>& nodes, std::vector<std::string>& resources,
                          const Scope& scope) {
  normalize(nodes);
  normalize(resources);
  // Any node matches "*"; a resource may have segments, which it does not pass.
  if (std::binary_search(nodes.begin(), nodes.end(), "*")) nodes.clear();
  std::string key;
  const std::vector<std::string>* const all[] = {&nodes, &resources, &scope.nodes, &scope.resources};
  for (const auto* patterns : all) {
    for (const std::string& pattern : *patterns) {
      key += std::to_string(pattern.size());
      key += ':';
      key += pattern;
    }
    key += ';';
  }
  return key;
}

Interest::Interest(std::vector<std::string> nodes, std::vector<std::string> resources, Scope scope)
    : nodes_(std::move(nodes)),
      resources_(std::move(resources)),
      scope_(std::move(scope)),
      literal_(!nodes_.empty() && std::none_of(nodes_.begin(), nodes_.end(), is_pattern)) {}

Interest::~Interest() = default;

bool Interest::wants_node(std::string_view uid) const {
  if (!scope_.covers_node(uid)) return false;
  if (nodes_.empty()) return true;
  return std::any_of(nodes_.begin(), nodes_.end(),
                     [&](const std::string& pattern) { return text::glob_match(pattern, uid); });
}

bool Interest::wants_resource(std::string_view name) const {
  if (!scope_.covers_resource(name)) return false;
  if (resources_.empty()) return true;
  return std::any_of(resources_.begin(), resources_.end(),
                     [&](const std::string& pattern) { return text::path_match(pattern, name); });
}

SnapshotParts Interest::snapshot(const NodeTable& table, const std::vector<std::uint32_t>& touched) {
  SnapshotParts all;
  if (literal_) {
    SnapshotBuilder builder(*this, all);
    for (const std::string& uid : nodes_) {
      if (const Node* node = table.find(uid)) builder.add(*node);
    }
    return all;
  }
  const auto& versions = table.block_versions();
  const auto& slots = table.slots();
  kept_.resize(versions.size());
  for (std::size_t block = 0; block < kept_.size(); ++block) {
    const std::uint64_t version =
        static_cast<std::uint64_t>(versions[block]) << 32 | (block < touched.size() ? touched[block] : 0U);
    Kept& kept = kept_[block];
    if (kept.version != version) {
      kept.parts.clear();
      SnapshotBuilder builder(*this, kept.parts);
      const std::size_t end = std::min(slots.size(), (block + 1) * kNodesPerBlock);
      for (std::size_t slot = block * kNodesPerBlock; slot < end; ++slot) {
        if (slots[slot] && wants_node(slots[slot]->uid)) builder.add(*slots[slot]);
      }
      kept.version = version;
    }
    all.insert(all.end(), kept.parts.begin(), kept.parts.end());
  }
  return all;
}

void Interest::drop_snapshot() {
  kept_.clear();
  kept_.shrink_to_fit();
}

std::size_t Interest::snapshot_bytes() const {
  std::size_t sum = 0;
  for (const Kept& kept : kept_) {
    for (const auto& part : kept.parts) sum += part->nodes.capacity();
  }
  return sum;
}

}  // namespace aiot::broker
