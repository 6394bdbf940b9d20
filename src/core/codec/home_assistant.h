#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

/// What Home Assistant's MQTT discovery messages are written in: abbreviations and a base topic. Pure.
namespace aiot::home_assistant {

/// The member under its name or its abbreviation; null when there is none.
[[nodiscard]] const nlohmann::json* member(const nlohmann::json& object, const char* name,
                                           const char* abbreviation);
/// The (first) identifier of the message's device; null when there is none.
[[nodiscard]] const nlohmann::json* device_identifier(const nlohmann::json& config);
/// The topic, where a `~` at either end stands for `base`.
[[nodiscard]] std::string expand(std::string topic, const std::string& base);

}  // namespace aiot::home_assistant
