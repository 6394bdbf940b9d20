#include "daemon/gateway/home_assistant.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "core/codec/home_assistant.h"
#include "core/codec/quantity.h"
#include "core/codec/value.h"
#include "daemon/gateway/identity.h"

namespace aiot::gateway {

namespace {

using home_assistant::member;
using nlohmann::json;

constexpr std::size_t kMaxEntities = 256;  ///< of one message

std::string text_of(const json* value) {
  if (value == nullptr) return {};
  if (value->is_string()) return value->get<std::string>();
  return value->is_number() ? value->dump() : std::string();
}

/// An id that can be a node's: the characters that MQTT keeps for itself are replaced.
std::string as_node_id(std::string id) {
  for (char& c : id)
    if (c == '/' || c == '+' || c == '#') c = '_';
  return id;
}

/// The path in `{{ value_json.a.b }}` or `{{ value_json['a'] }}`; filters behind it are left to the reader of
/// the value. Any other template takes the payload whole.
std::vector<std::string> template_path(std::string_view text) {
  constexpr std::string_view kJson = "value_json";
  std::vector<std::string> path;
  auto at = text.find(kJson);
  if (at == std::string_view::npos) return path;
  at += kJson.size();
  const auto is_name = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  };
  while (at < text.size() && path.size() < 8) {
    if (text[at] == '.') {
      auto end = at + 1;
      while (end < text.size() && is_name(text[end])) ++end;
      if (end == at + 1) break;
      path.emplace_back(text.substr(at + 1, end - at - 1));
      at = end;
    } else if (text[at] == '[' && at + 1 < text.size() && (text[at + 1] == '\'' || text[at + 1] == '"')) {
      const auto end = text.find(text[at + 1], at + 2);
      if (end == std::string_view::npos || end + 1 >= text.size() || text[end + 1] != ']') break;
      path.emplace_back(text.substr(at + 2, end - at - 2));
      at = end + 2;
    } else {
      break;
    }
  }
  return path;
}

DiscoveredEntity read_entity(const json& config, const std::string& node, std::string resource) {
  DiscoveredEntity out;
  const auto base = text_of(member(config, "~", "~"));
  out.node = node;
  if (resource.size() > node.size() + 1 && resource.starts_with(node) && resource[node.size()] == '_')
    resource.erase(0, node.size() + 1);
  out.resource = std::move(resource);
  out.state_topic = home_assistant::expand(text_of(member(config, "state_topic", "stat_t")), base);
  out.command_topic = home_assistant::expand(text_of(member(config, "command_topic", "cmd_t")), base);
  out.path = template_path(text_of(member(config, "value_template", "val_tpl")));
  out.unit = text_of(member(config, "unit_of_measurement", "unit_of_meas"));
  return out;
}

}  // namespace

bool is_discovery_topic(std::string_view prefix, std::string_view topic) {
  if (prefix.empty() || !topic.starts_with(prefix) || topic.size() <= prefix.size() + 1 ||
      topic[prefix.size()] != '/' || !topic.ends_with("/config"))
    return false;
  const auto levels =
      std::count(topic.begin() + static_cast<std::ptrdiff_t>(prefix.size()), topic.end(), '/');
  return levels == 3 || levels == 4;
}

Result<std::vector<DiscoveredEntity>> parse_discovery(std::string_view prefix, std::string_view topic,
                                                      std::string_view payload) {
  std::vector<DiscoveredEntity> out;
  if (payload.empty()) return out;
  auto config = parse_json(payload);
  if (!config) return make_error(Errc::rejected, "the discovery message: " + config.error().message);
  if (!config->is_object()) return make_error(Errc::rejected, "the discovery message is not a JSON object");
  const auto levels = text::split(topic.substr(prefix.size() + 1), '/');
  const std::string object_id(levels[levels.size() - 2]);
  auto node = text_of(home_assistant::device_identifier(*config));
  if (node.empty()) node = levels[1];
  node = as_node_id(std::move(node));
  if (!is_node_id(node))
    return make_error(Errc::rejected, fmt::format("the device id '{}' must be 1 to 64 printable characters",
                                                  text::escape_controls(node.substr(0, 80))));
  const auto add = [&](const json& entity, const std::string& resource) {
    if (!entity.is_object()) return;
    auto read = read_entity(entity, node, resource);
    if (read.state_topic.empty() && read.command_topic.empty()) return;
    if (is_resource_name(read.resource) && out.size() < kMaxEntities) out.push_back(std::move(read));
  };
  if (levels[0] == "device") {
    const json* components = member(*config, "components", "cmps");
    if (components == nullptr || !components->is_object())
      return make_error(Errc::rejected, "the device's discovery message has no components");
    for (const auto& [name, given] : components->items()) {
      if (!given.is_object()) continue;
      // What is said for all of them: the base topic and a shared state topic.
      json component = given;
      for (const char* shared : {"~", "state_topic", "stat_t"})
        if (config->contains(shared) && !component.contains(shared)) component[shared] = (*config)[shared];
      add(component, name);
    }
  } else {
    add(*config, object_id);
  }
  if (out.empty())
    return make_error(Errc::rejected, "the discovery message names neither a state nor a command topic");
  return out;
}

std::optional<JsonValue> state_value(const DiscoveredEntity& entity, std::string_view payload) {
  JsonValue out{std::string(payload), std::nullopt};
  if (!entity.path.empty()) {
    auto parsed = parse_json(payload);
    if (!parsed) return std::nullopt;
    const json* at = &*parsed;
    for (const auto& name : entity.path) {
      if (!at->is_object() || !at->contains(name)) return std::nullopt;
      at = &(*at)[name];
    }
    if (at->is_null()) return std::nullopt;
    out.bytes = at->is_string() ? at->get<std::string>() : at->dump();
    if (!at->is_string()) out.content_format = content_format::kJson;
  }
  if (!entity.unit.empty()) {
    const auto quantity = parse_quantity(out.bytes);
    if (quantity && quantity->unit.empty()) {
      out.bytes += entity.unit;
      out.content_format.reset();
    }
  }
  if (!text::is_utf8(out.bytes)) return std::nullopt;
  return out;
}

}  // namespace aiot::gateway
