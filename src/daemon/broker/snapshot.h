#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/broker/node_table.h"

namespace aiot::broker {

/// Clients' ids, so that every client's snapshot has the same length: a UUID.
inline constexpr std::size_t kClientIdSize = 36;

/// The frames of up to kNodesPerBlock nodes, with room for a client's id at each of `ids`.
struct SnapshotBlock {
  std::string frames;
  std::vector<std::uint32_t> ids;
  std::uint32_t updates = 0;

  /// The frames addressed to one client.
  [[nodiscard]] std::string addressed_to(std::string_view id) const;
};

/// All live nodes as of one moment; shared by the clients that joined at it.
using Snapshot = std::vector<std::shared_ptr<const SnapshotBlock>>;

/// Keeps the encoded node table for joining clients. A block is encoded when it changed and somebody wants
/// it; snapshots handed out keep the blocks as they were.
class SnapshotCache {
 public:
  explicit SnapshotCache(const NodeTable& table) : table_(table) {}
  /// The table as of now.
  [[nodiscard]] Snapshot take();
  /// Gives the memory back; the next take() encodes everything.
  void drop();
  [[nodiscard]] std::size_t bytes() const;

 private:
  [[nodiscard]] std::shared_ptr<const SnapshotBlock> encode(std::size_t block) const;

  const NodeTable& table_;
  Snapshot blocks_;
  std::vector<std::uint32_t> encoded_;  ///< the version of each block that was encoded
};

}  // namespace aiot::broker
