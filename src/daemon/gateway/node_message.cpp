#include "daemon/gateway/node_message.h"

#include <fmt/core.h>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "daemon/gateway/policy.h"
#include "daemon/wire/json_reader.h"
#include "daemon/wire/json_writer.h"

namespace aiot::gateway {

namespace {

using wire::JsonReader;

constexpr std::string_view kNode = "node/";
constexpr std::string_view kCheck = "node/check";

Error not_understood(std::string_view what, const JsonReader& reader) {
  return make_error(Errc::rejected, fmt::format("{}: {}", what, reader.error().message));
}

bool read_value(JsonReader& reader, JsonValue& out) {
  if (reader.peek() == JsonReader::Kind::string) return reader.read_string(out.bytes, kMaxValue);
  std::string_view raw;
  if (!reader.read_raw(raw)) return false;
  if (raw.size() > kMaxValue) return reader.exceed("a value above 64 KB");
  out.bytes = raw;
  out.content_format = content_format::kJson;
  return true;
}

/// A name that devices write as text or as a number.
bool read_id(JsonReader& reader, std::string& out) {
  if (reader.peek() == JsonReader::Kind::string) return reader.read_string(out, kMaxUid);
  if (reader.peek() != JsonReader::Kind::number)
    return reader.fail("an id that is neither text nor a number");
  std::string_view raw;
  if (!reader.read_raw(raw)) return false;
  out = raw.substr(0, kMaxUid);
  return true;
}

}  // namespace

Result<std::string> parse_check(std::string_view payload) {
  JsonReader reader(payload);
  std::string id;
  std::string_view name;
  bool found = false;
  reader.enter_object();
  while (reader.next_member(name)) found |= name == "id" ? read_id(reader, id) : (reader.skip(), false);
  if (!reader.finish()) return not_understood(R"(it must be {"id":ID})", reader);
  if (!found) return make_error(Errc::rejected, R"(it must be {"id":ID}: there is no id)");
  return id;
}

Result<JsonValue> parse_value(std::string_view payload) {
  JsonReader reader(payload);
  JsonValue value;
  std::string_view name;
  bool found = false;
  reader.enter_object();
  while (reader.next_member(name)) {
    if (name != "value") {
      reader.skip();
      continue;
    }
    value = {};
    found = read_value(reader, value);
  }
  if (!reader.finish()) return not_understood(R"(it must be {"value":VALUE})", reader);
  if (!found) return make_error(Errc::rejected, R"(it must be {"value":VALUE}: there is no value)");
  return value;
}

Result<void> check_names(std::string_view payload) {
  JsonReader reader(payload);
  std::string name;
  reader.enter_array();
  while (reader.next_element()) reader.read_string(name, kMaxResource);
  if (!reader.finish()) return not_understood("it must be a JSON list of names", reader);
  return {};
}

Result<WebSocketMessage> parse_web_socket_message(std::string_view text) {
  constexpr std::string_view kForm = R"(it must be {"type":"update","data":{RESOURCE:VALUE,...}})";
  JsonReader reader(text);
  WebSocketMessage message;
  std::string type;
  std::string_view name;
  bool has_data = false;
  reader.enter_object();
  while (reader.next_member(name)) {
    if (name == "uid") {
      read_id(reader, message.uid);
    } else if (name == "type" && reader.peek() == JsonReader::Kind::string) {
      reader.read_string(type, kMaxResource);
    } else if (name == "data" && reader.peek() == JsonReader::Kind::object) {
      has_data = true;
      message.values.clear();
      reader.enter_object();
      while (reader.next_member(name)) {
        if (name == "uid" && message.values.empty() && message.uid.empty()) {
          read_id(reader, message.uid);
          continue;
        }
        if (message.values.size() >= kMaxNodeResources) {
          reader.exceed("more resources than a node may have");
          break;
        }
        auto& [resource, value] = message.values.emplace_back(std::string(name), JsonValue());
        read_value(reader, value);
      }
    } else {
      reader.skip();
    }
  }
  if (!reader.finish()) return not_understood(kForm, reader);
  if (type == "update" && has_data) return message;
  message.values.clear();
  // The other types of pyaiot's wire mean nothing here, and cost a node nothing.
  if (type == "new" || type == "out" || type == "reset" || (type.empty() && !message.uid.empty()))
    return message;
  return make_error(Errc::rejected, std::string(kForm));
}

std::string web_socket_write(std::string_view resource, std::string_view value) {
  std::string out;
  wire::JsonWriter json(out);
  json.open_object();
  json.string("endpoint", resource);
  json.string("payload", value);
  json.close_object();
  return out;
}

bool is_node_topic(std::string_view topic) { return topic.starts_with(kNode); }

Result<void> take_node_message(Policy& policy, NodeSource from, std::string_view topic,
                               std::string_view payload, const Now& now) {
  const auto bad = [&](const Error& error) {
    policy.drop(Drop::bad_message);
    return error;
  };
  if (topic == kCheck) {
    auto id = parse_check(payload);
    if (!id) return bad(id.error());
    from.id = *id;
    return policy.messages().alive(from, now);
  }
  topic.remove_prefix(kNode.size());
  const auto slash = topic.find('/');
  if (slash == std::string_view::npos)
    return bad(
        make_error(Errc::rejected, "a node's topic is node/check, node/ID/resources or node/ID/RESOURCE"));
  from.id = topic.substr(0, slash);
  const auto resource = topic.substr(slash + 1);
  if (resource == "resources") {
    if (auto good = check_names(payload); !good) return bad(good.error());
    return policy.messages().listed(from, now);
  }
  auto value = parse_value(payload);
  if (!value) return bad(value.error());
  return policy.messages().value(from, resource, value->bytes, value->content_format, now);
}

std::pair<std::string, std::string> topic_message(std::string_view id, const NodeMessage& message) {
  if (message.kind == NodeMessage::Kind::write)
    return {fmt::format("gateway/{}/{}/set", id, message.resource), std::string(message.payload)};
  return {fmt::format("gateway/{}/discover", id),
          message.kind == NodeMessage::Kind::resources ? "resources" : "values"};
}

}  // namespace aiot::gateway
