#include "daemon/gateway/topic_map.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "core/model/update.h"
#include "daemon/gateway/identity.h"
#include "daemon/gateway/payload.h"
#include "daemon/wire/json_reader.h"

namespace aiot::gateway {

namespace {

constexpr std::string_view kNode = "{node}", kResource = "{resource}";

bool read_value(wire::JsonReader& reader, JsonValue& out) {
  if (reader.peek() == wire::JsonReader::Kind::string) return reader.read_string(out.bytes, kMaxValue);
  std::string_view raw;
  if (!reader.read_raw(raw)) return false;
  out.bytes = raw;
  out.content_format = content_format::kJson;
  return true;
}

}  // namespace

Result<TopicMap::Level> TopicMap::parse_level(std::string_view text) {
  Level level;
  if (text == "+") {
    level.kind = Kind::any;
    return level;
  }
  auto at = text.find(kNode);
  auto length = kNode.size();
  level.kind = Kind::node;
  if (at == std::string_view::npos) {
    at = text.find(kResource);
    length = kResource.size();
    level.kind = Kind::resource;
  }
  if (at == std::string_view::npos) {
    level.kind = Kind::text;
    level.before = text;
  } else {
    level.before = text.substr(0, at);
    level.after = text.substr(at + length);
  }
  if ((level.before + level.after).find_first_of("{}+#") != std::string::npos)
    return make_error(Errc::usage, fmt::format("'{}' is not text, +, {{node}} or {{resource}}", text));
  return level;
}

Result<TopicMap> TopicMap::parse(std::string_view pattern) {
  const auto bad = [&](const std::string& why) {
    return make_error(Errc::usage, fmt::format("'{}': {}", text::escape_controls(pattern), why));
  };
  TopicMap map;
  std::size_t nodes = 0, resources = 0;
  for (const auto part : text::split(pattern, '/')) {
    auto level = parse_level(part);
    if (!level) return bad(level.error().message);
    nodes += level->kind == Kind::node ? 1 : 0;
    resources += level->kind == Kind::resource ? 1 : 0;
    if (!map.levels_.empty()) map.filter_ += '/';
    if (level->kind == Kind::text) {
      map.filter_ += level->before;
    } else {
      map.filter_ += '+';
    }
    map.levels_.push_back(std::move(*level));
  }
  if (nodes != 1) return bad("it must have {node} in exactly one level");
  if (resources > 1) return bad("it may have {resource} in one level only");
  if (!is_plain_text(pattern) || pattern.size() > kMaxResource) return bad("it is not a topic");
  return map;
}

std::optional<TopicMap::Place> TopicMap::match(std::string_view topic) const {
  Place place;
  std::size_t at = 0;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    if (at > topic.size()) return std::nullopt;
    const auto slash = std::min(topic.find('/', at), topic.size());
    auto part = topic.substr(at, slash - at);
    at = slash + 1;
    const Level& level = levels_[i];
    if (level.kind == Kind::any) continue;
    if (level.kind == Kind::text) {
      if (part != level.before) return std::nullopt;
      continue;
    }
    if (part.size() <= level.before.size() + level.after.size() || !part.starts_with(level.before) ||
        !part.ends_with(level.after))
      return std::nullopt;
    part = part.substr(level.before.size(), part.size() - level.before.size() - level.after.size());
    (level.kind == Kind::node ? place.node : place.resource) = part;
  }
  if (at != topic.size() + 1) return std::nullopt;
  return place;
}

Result<std::vector<std::pair<std::string, JsonValue>>> mapped_values(std::string_view resource,
                                                                     std::string_view payload) {
  std::vector<std::pair<std::string, JsonValue>> out;
  const std::string single(resource.empty() ? "value" : resource);
  wire::JsonReader reader(payload);
  if (reader.peek() != wire::JsonReader::Kind::object) {
    JsonValue value;
    if (read_value(reader, value) && reader.finish()) {
      out.emplace_back(single, std::move(value));
      return out;
    }
    if (!text::is_utf8(payload))
      return make_error(Errc::rejected, "the payload is neither JSON nor UTF-8 text");
    out.emplace_back(single, JsonValue{std::string(payload), std::nullopt});
    return out;
  }
  std::string_view name;
  reader.enter_object();
  while (reader.next_member(name)) {
    if (out.size() >= kMaxNodeResources) {
      reader.exceed("more members than a node may have resources");
      break;
    }
    auto& [member, value] = out.emplace_back(std::string(name), JsonValue());
    if (!resource.empty()) member = fmt::format("{}/{}", resource, name);
    read_value(reader, value);
  }
  if (!reader.finish()) {
    if (reader.over_bound() || !text::is_utf8(payload))
      return make_error(Errc::rejected, "the payload's JSON: " + reader.error().message);
    out.clear();
    out.emplace_back(single, JsonValue{std::string(payload), std::nullopt});
  }
  if (out.size() == 1 && !resource.empty() && out.front().first == single + "/value")
    out.front().first = single;
  return out;
}

}  // namespace aiot::gateway
