#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/simulator/resources.h"

namespace aiot::simulator {

/// What all nodes of a simulation share.
struct Blueprint {
  std::vector<Resource> resources;
  std::vector<std::size_t> posted;  ///< indices of those that are posted, in turn
  std::string links;                ///< the answer to GET /.well-known/core
  bool confirmable = false;         ///< CoAP

  [[nodiscard]] static Result<Blueprint> make(const std::vector<std::string>& names, bool confirmable);
};

/// The uid and the values of one virtual node, whatever it speaks. Pure; the same for the same number.
class NodeValues {
 public:
  NodeValues(const Blueprint& blueprint, std::size_t number);

  [[nodiscard]] std::string uid() const;
  [[nodiscard]] const Blueprint& blueprint() const { return blueprint_; }
  /// Nothing for a name it does not have.
  [[nodiscard]] std::optional<std::size_t> find(std::string_view resource) const;
  /// As it was last sampled or written.
  [[nodiscard]] const std::string& at(std::size_t index) const { return values_[index]; }
  /// Moves one that changes.
  const std::string& sample(std::size_t index);
  /// Samples the next of those that are posted in turn; nothing when there is none.
  std::optional<std::size_t> next();
  /// False for a value that the resource does not take, or one that takes none.
  bool write(std::size_t index, std::string_view value);

 private:
  const Blueprint& blueprint_;
  std::size_t number_;
  Wander wander_;
  std::vector<double> levels_;
  std::vector<std::string> values_;
  std::size_t turn_;
};

}  // namespace aiot::simulator
