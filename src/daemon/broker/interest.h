#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/model/principal.h"
#include "daemon/broker/node_table.h"

namespace aiot::broker {

class Feed;
class Conflation;

/// Nodes of a snapshot as JSON, with commas between them.
struct SnapshotPart {
  std::string nodes;
  std::uint32_t updates = 0;
};
/// What an interest covers, as of one moment.
using SnapshotParts = std::vector<std::shared_ptr<const SnapshotPart>>;

/// Which nodes and resources somebody wants to hear of: what all subscriptions with the same patterns share.
class Interest {
 public:
  /// Patterns as a subscription has them, empty for all: `*` in a node's stands for any run of characters, in
  /// a resource's for one within a segment.
  /// Nothing beyond `scope` is told.
  Interest(std::vector<std::string> nodes, std::vector<std::string> resources, Scope scope = {});
  ~Interest();
  Interest(const Interest&) = delete;
  Interest& operator=(const Interest&) = delete;

  /// Two with the same patterns have the same.
  [[nodiscard]] static std::string key(std::vector<std::string>& nodes, std::vector<std::string>& resources,
                                       const Scope& scope = {});

  [[nodiscard]] bool wants_node(std::string_view uid) const;
  [[nodiscard]] bool wants_resource(std::string_view name) const;
  [[nodiscard]] bool wants_all_nodes() const { return nodes_.empty() && scope_.nodes.empty(); }
  [[nodiscard]] const Scope& scope() const { return scope_; }
  /// Every node it wants is named.
  [[nodiscard]] bool is_literal() const { return literal_; }
  [[nodiscard]] const std::vector<std::string>& nodes() const { return nodes_; }
  [[nodiscard]] const std::vector<std::string>& resources() const { return resources_; }

  [[nodiscard]] std::size_t patterns() const { return nodes_.size() + resources_.size(); }

  /// What it covers now. Parts that did not change since the last call are the same ones; `touched` counts
  /// the updates of each block of the table, also those that changed no value.
  [[nodiscard]] SnapshotParts snapshot(const NodeTable& table, const std::vector<std::uint32_t>& touched);
  /// Gives back what was kept for the next snapshot().
  void drop_snapshot();
  [[nodiscard]] std::size_t snapshot_bytes() const;

  // Who wants it; kept by Followers.
  std::vector<std::unique_ptr<Feed>> feeds;
  std::vector<Conflation*> conflations;

 private:
  struct Kept {
    SnapshotParts parts;
    std::uint64_t version = 0;
  };

  std::vector<std::string> nodes_, resources_;
  Scope scope_;
  bool literal_ = false;
  std::vector<Kept> kept_;
};

}  // namespace aiot::broker
