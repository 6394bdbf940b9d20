#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/store/group.h"

namespace aiot::store {

/// The numbers of nodes and their resources. Finding one allocates nothing. Pure.
class Names {
 public:
  /// A number for what has none yet goes into `group` first.
  NodeId node(std::string_view uid, Group& group);
  SeriesId series(std::string_view uid, std::string_view resource, Group& group);
  [[nodiscard]] std::optional<NodeId> find(std::string_view uid) const;
  [[nodiscard]] std::optional<SeriesId> find(std::string_view uid, std::string_view resource) const;
  /// What comes under that name later has other numbers.
  void forget(std::string_view uid);

  void load(const std::vector<NodeName>& nodes, const std::vector<SeriesName>& series, NodeId next_node,
            SeriesId next_series);
  /// All of them, for a database that may not have them any more.
  void declare(Group& group) const;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  struct Node {
    NodeId id = 0;
    std::unordered_map<std::string, SeriesId, Hash, std::equal_to<>> resources;
  };
  using Nodes = std::unordered_map<std::string, Node, Hash, std::equal_to<>>;
  Nodes::value_type& entry(std::string_view uid, Group& group);

  Nodes nodes_;
  Nodes::value_type* latest_ = nullptr;  ///< updates come node by node
  NodeId next_node_ = 1;
  SeriesId next_series_ = 1;
};

}  // namespace aiot::store
