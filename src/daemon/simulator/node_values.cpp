#include "daemon/simulator/node_values.h"

#include <fmt/format.h>

namespace aiot::simulator {

Result<Blueprint> Blueprint::make(const std::vector<std::string>& names, bool confirmable) {
  auto resources = make_resources(names);
  if (!resources) return std::move(resources).error();
  Blueprint blueprint;
  blueprint.resources = *std::move(resources);
  blueprint.links = link_format_of(blueprint.resources);
  blueprint.confirmable = confirmable;
  for (std::size_t i = 0; i < blueprint.resources.size(); ++i) {
    if (blueprint.resources[i].changes()) blueprint.posted.push_back(i);
  }
  // A node of constants alone tells those, as pyaiot's do at their start.
  if (blueprint.posted.empty()) {
    for (std::size_t i = 0; i < blueprint.resources.size(); ++i) blueprint.posted.push_back(i);
  }
  return blueprint;
}

NodeValues::NodeValues(const Blueprint& blueprint, std::size_t number)
    : blueprint_(blueprint), number_(number), wander_(number), turn_(number) {
  levels_.reserve(blueprint.resources.size());
  values_.resize(blueprint.resources.size());
  for (std::size_t i = 0; i < blueprint.resources.size(); ++i) {
    const auto& resource = blueprint.resources[i];
    levels_.push_back(resource.kind == ResourceKind::quantity ? first_level(resource, wander_) : 0);
    values_[i] = format_value(resource, levels_[i], wander_);
    if (resource.name == "name") values_[i] += fmt::format(" {}", number);
  }
}

std::string NodeValues::uid() const { return fmt::format("sim-{}", number_); }

std::optional<std::size_t> NodeValues::find(std::string_view resource) const {
  for (std::size_t i = 0; i < blueprint_.resources.size(); ++i)
    if (blueprint_.resources[i].name == resource) return i;
  return std::nullopt;
}

const std::string& NodeValues::sample(std::size_t index) {
  const auto& resource = blueprint_.resources[index];
  if (resource.changes()) {
    levels_[index] = next_level(resource, levels_[index], wander_);
    values_[index] = format_value(resource, levels_[index], wander_);
  }
  return values_[index];
}

std::optional<std::size_t> NodeValues::next() {
  if (blueprint_.posted.empty()) return std::nullopt;
  const auto index = blueprint_.posted[turn_++ % blueprint_.posted.size()];
  sample(index);
  return index;
}

bool NodeValues::write(std::size_t index, std::string_view value) {
  const auto& resource = blueprint_.resources[index];
  if (!resource.writable()) return false;
  if (resource.kind == ResourceKind::led) {
    if (value != "0" && value != "1") return false;
    levels_[index] = value == "1" ? 1 : 0;
  }
  values_[index] = value;
  return true;
}

}  // namespace aiot::simulator
