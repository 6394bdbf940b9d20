#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/broker/interest.h"

namespace aiot::broker {

/// Who wants to hear of which node: found without looking at those that do not. Pure.
///
/// Interests in named nodes, and in patterns of them, stand with each node they cover; the list is made when
/// the node or the interest is first seen. Interests in every node stand with the names of resources they
/// cover, of which there are few.
class InterestIndex {
 public:
  explicit InterestIndex(const NodeTable& table) : table_(table) {}

  /// The interest in those patterns, made when nobody had it.
  /// Nodes that are named and not patterns must be of the scope.
  Interest& obtain(std::vector<std::string> nodes, std::vector<std::string> resources,
                   const Scope& scope = {});
  /// Nobody has it any more.
  void release(Interest& interest);

  [[nodiscard]] bool empty() const { return interests_.empty(); }
  [[nodiscard]] const std::unordered_map<std::string, std::unique_ptr<Interest>>& all() const {
    return interests_;
  }

  /// Calls `tell(interest)` for each that wants this resource of the node.
  template <class Tell>
  void each(const Node& node, std::string_view resource, Tell&& tell) {
    for (Interest* interest : everywhere(resource)) tell(*interest);
    for (Interest* interest : around(node)) {
      if (interest->wants_resource(resource)) tell(*interest);
    }
  }
  /// The same for each that wants the node.
  template <class Tell>
  void each(const Node& node, Tell&& tell) {
    for (Interest* interest : everywhere_) tell(*interest);
    for (Interest* interest : around(node)) tell(*interest);
  }

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const { return std::hash<std::string_view>{}(text); }
  };
  using Lists = std::unordered_map<std::string, std::vector<Interest*>, Hash, std::equal_to<>>;
  /// The interests in one node, but for those in every node.
  struct Watch {
    std::uint64_t serial = 0;  ///< of the node; another one took the slot when it differs
    std::vector<Interest*> interests;
  };

  const std::vector<Interest*>& around(const Node& node);
  const std::vector<Interest*>& everywhere(std::string_view resource);
  void watch(const Node& node, Interest& interest);

  const NodeTable& table_;
  std::unordered_map<std::string, std::unique_ptr<Interest>> interests_;  ///< by Interest::key
  Lists by_uid_;                                                          ///< literal interests
  std::vector<Interest*> globs_;                                          ///< those with patterns
  std::vector<Interest*> everywhere_;                                     ///< those in every node
  Lists by_resource_;           ///< of everywhere_, as far as it was asked for
  std::vector<Watch> watches_;  ///< by slot
};

}  // namespace aiot::broker
