#include "core/codec/home_assistant.h"

#include <nlohmann/json.hpp>

namespace aiot::home_assistant {

using nlohmann::json;

const json* member(const json& object, const char* name, const char* abbreviation) {
  for (const char* each : {name, abbreviation})
    if (const auto at = object.find(each); at != object.end()) return &*at;
  return nullptr;
}

const json* device_identifier(const json& config) {
  const json* device = member(config, "device", "dev");
  if (device == nullptr || !device->is_object()) return nullptr;
  const json* ids = member(*device, "identifiers", "ids");
  return ids != nullptr && ids->is_array() && !ids->empty() ? &ids->front() : ids;
}

std::string expand(std::string topic, const std::string& base) {
  if (topic.empty() || base.empty()) return topic;
  if (topic.front() == '~') return base + topic.substr(1);
  if (topic.back() == '~') return topic.substr(0, topic.size() - 1) + base;
  return topic;
}

}  // namespace aiot::home_assistant
