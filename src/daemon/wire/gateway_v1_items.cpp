#include "daemon/wire/gateway_v1_items.h"

#include "core/base/text.h"

namespace aiot::wire {
namespace {

constexpr std::size_t kMaxEncoded = kMaxValue / 3 * 4 + 8;
constexpr std::size_t kMaxNodeValues = 4096;
/// Times beyond the year 9999 are not times.
constexpr std::uint64_t kMaxTimeMs = 253402300799999;

}  // namespace

void ValueFields::clear() {
  value.clear();
  encoding.clear();
  format.reset();
}

bool ValueFields::take(std::string_view name, JsonReader& reader) {
  if (name == "value") {
    reader.read_string(value, kMaxEncoded);
  } else if (name == "encoding") {
    reader.read_string(encoding, kMaxWord);
  } else if (name == "format") {
    std::uint64_t number = 0;
    if (reader.read_unsigned(number) && number > 65535) reader.fail("a content format above 65535");
    format = static_cast<std::uint16_t>(number);
  } else {
    return false;
  }
  return true;
}

bool ValueFields::finish(JsonReader& reader) {
  if (!encoding.empty()) {
    auto bytes = encoding == "base64" ? text::decode_base64(value) : std::nullopt;
    if (!bytes) return reader.fail("a value whose encoding is not the base64 it says");
    value = std::move(*bytes);
  }
  return value.size() <= kMaxValue || reader.fail("a value above 64 KB");
}

bool read_time(JsonReader& reader, WallTime& out) {
  std::uint64_t ms = 0;
  if (!reader.read_unsigned(ms)) return false;
  if (ms > kMaxTimeMs) return reader.fail("a time beyond the year 9999");
  out = WallTime(std::chrono::milliseconds(static_cast<std::int64_t>(ms)));
  return true;
}

bool read_int(JsonReader& reader, int& out) {
  std::uint64_t number = 0;
  if (!reader.read_unsigned(number)) return false;
  if (number > 1'000'000) return reader.fail("a number that is too large");
  out = static_cast<int>(number);
  return true;
}

void ItemFields::clear() {
  event.clear();
  node.clear();
  has_resource = uncertain = false;
  time = {};
  value.clear();
}

void ItemFields::take(std::string_view name, JsonReader& reader) {
  if (name == "node") {
    reader.read_string(node, kMaxUid);
  } else if (name == "resource") {
    has_resource = reader.read_string(resource, kMaxResource);
  } else if (name == "time") {
    read_time(reader, time);
  } else if (value.take(name, reader)) {
    // taken
  } else if (name == "event") {
    reader.read_string(event, kMaxWord);
  } else if (name == "protocol") {
    reader.read_string(protocol, kMaxWord);
  } else if (name == "address") {
    reader.read_string(address, kMaxAddress);
  } else if (name == "kind") {
    reader.read_string(kind, kMaxWord);
  } else if (name == "message") {
    reader.read_string(message, kMaxSentence);
  } else if (name == "time_uncertain") {
    reader.read_bool(uncertain);
  } else {
    reader.skip();
  }
}

Update ItemFields::update() const {
  Update made;
  made.uid = node;
  made.resource = resource;
  made.bytes = value.value;
  made.content_format = value.format;
  made.time = time;
  made.time_uncertain = uncertain;
  return made;
}

bool read_item(JsonReader& reader, ItemFields& fields, std::vector<Item>& items) {
  fields.clear();
  std::string_view name;
  if (!reader.enter_object()) return false;
  while (reader.next_member(name)) fields.take(name, reader);
  if (reader.failed() || !fields.value.finish(reader)) return false;
  if (fields.event.empty()) {
    if (fields.node.empty()) return reader.fail("an update without its node");
    if (!fields.has_resource) return reader.fail("an update without its resource");
    items.emplace_back(fields.update());
  } else if (fields.event == "notice") {
    items.emplace_back(Notice{fields.kind, fields.node, fields.message, fields.time});
  } else if (fields.node.empty()) {
    return reader.fail("an event without its node");
  } else if (fields.event == "joined") {
    items.emplace_back(NodeJoined{fields.node, fields.protocol, fields.address, fields.time});
  } else if (fields.event == "out") {
    items.emplace_back(NodeOut{fields.node, fields.time});
  } else if (fields.event == "reset") {
    items.emplace_back(NodeReset{fields.node, fields.protocol, fields.address, fields.time});
  } else {
    items.emplace_back(Notice{"unknown_event", fields.node, fields.event, fields.time});
  }
  fields.protocol.clear();
  fields.address.clear();
  fields.kind.clear();
  fields.message.clear();
  return true;
}

bool read_node(JsonReader& reader, NodeSnapshot& node) {
  ItemFields fields;
  std::string_view name;
  if (!reader.enter_object()) return false;
  while (reader.next_member(name)) {
    if (name == "node") {
      reader.read_string(node.uid, kMaxUid);
    } else if (name == "protocol") {
      reader.read_string(node.protocol, kMaxWord);
    } else if (name == "address") {
      reader.read_string(node.address, kMaxAddress);
    } else if (name == "first_seen") {
      read_time(reader, node.first_seen);
    } else if (name == "last_seen") {
      read_time(reader, node.last_seen);
    } else if (name == "values") {
      reader.enter_array();
      while (reader.next_element()) {
        if (node.values.size() >= kMaxNodeValues) return reader.fail("a node of more than 4096 resources");
        fields.clear();
        std::string_view inner;
        if (!reader.enter_object()) return false;
        while (reader.next_member(inner)) fields.take(inner, reader);
        if (reader.failed() || !fields.value.finish(reader)) return false;
        if (!fields.has_resource) return reader.fail("a value without its resource");
        node.values.push_back(fields.update());
        node.values.back().uid.clear();
      }
    } else {
      reader.skip();
    }
  }
  if (reader.failed()) return false;
  return !node.uid.empty() || reader.fail("a node without its name");
}

}  // namespace aiot::wire
