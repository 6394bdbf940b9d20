#pragma once

#include <cstdint>
#include <string>
#include <variant>
#include <vector>

#include "daemon/store/arrival.h"
#include "daemon/store/store.h"

namespace aiot::store {

/// A uid or resource gets its number.
struct NodeName {
  NodeId id = 0;
  std::string uid;
};
struct SeriesName {
  SeriesId id = 0;
  NodeId node = 0;
  std::string resource;
};
struct NodeChange {
  NodeId id = 0;
  NodeRecord record;
};
struct Forgotten {
  NodeId id = 0;
  std::string uid;
};
struct StreamPosition {
  std::string gateway, stream;
  std::uint64_t sequence = 0;
};
using Change = std::variant<NodeName, SeriesName, NodeChange, Forgotten, GatewayRecord, StreamPosition, Event,
                            KeptWrite>;

/// What goes into one transaction: changes of tables in order, then the log, which refers to them.
struct Group {
  std::vector<Change> changes;
  std::string log;
  WallTime previous{};        ///< of the log's last record
  std::uint64_t updates = 0;  ///< points in the log
  std::uint64_t change_bytes = 0;

  [[nodiscard]] bool empty() const { return changes.empty() && log.empty(); }
  [[nodiscard]] std::uint64_t bytes() const { return log.size() + change_bytes; }
};

}  // namespace aiot::store
