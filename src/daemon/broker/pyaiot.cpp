#include "daemon/broker/pyaiot.h"

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "core/codec/value.h"
#include "daemon/wire/json_reader.h"
#include "daemon/wire/json_writer.h"

namespace aiot::broker::pyaiot {
namespace {

using wire::JsonReader;
using wire::JsonWriter;

constexpr std::size_t kMaxWord = 64;

/// A value of any JSON type: text as its bytes, everything else as JSON.
bool read_value(JsonReader& reader, Resource& out) {
  if (reader.peek() == JsonReader::Kind::string) {
    out.raw_json = false;
    return reader.read_string(out.bytes, kMaxValue);
  }
  std::string_view raw;
  if (!reader.read_raw(raw)) return false;
  if (raw.size() > kMaxValue) return reader.exceed("a value above 64 KB");
  out.raw_json = true;
  out.bytes = raw;
  return true;
}

/// A client's `data`: what it wants written where.
void read_write(JsonReader& reader, Message& message) {
  bool has_uid = false, has_endpoint = false, has_payload = false;
  std::string_view name;
  reader.enter_object();
  while (reader.next_member(name)) {
    const bool text = reader.peek() == JsonReader::Kind::string;
    if (name == "uid" && text) {
      has_uid = reader.read_string(message.uid, kMaxUid);
    } else if (name == "endpoint" && text) {
      has_endpoint = reader.read_string(message.value.name, kMaxResource);
    } else if (name == "payload") {
      has_payload = read_value(reader, message.value);
    } else {
      reader.skip();
    }
  }
  message.is_write = has_uid && has_endpoint && has_payload;
}

bool is_cbor(const Resource& resource) {
  return resource.content_format && (*resource.content_format == content_format::kCbor ||
                                     *resource.content_format == content_format::kSenmlCbor ||
                                     *resource.content_format == content_format::kSensmlCbor);
}

Error not_understood(const JsonReader& reader) {
  auto error = reader.error();
  if (!reader.over_bound()) return make_error(Errc::rejected, "not JSON: " + error.message);
  return make_error(Errc::usage, std::move(error.message));
}

}  // namespace

Result<Message> parse(std::string_view text) {
  JsonReader reader(text);
  Message message;
  std::string type;
  std::string_view name;
  Message write;  // what a client's `data` says
  Error oversized;
  if (reader.peek() != JsonReader::Kind::object) {
    reader.skip();
    if (!reader.finish()) return make_error(Errc::rejected, "not JSON: " + reader.error().message);
    return make_error(Errc::rejected, "not a JSON object");
  }
  reader.enter_object();
  while (reader.next_member(name)) {
    const auto kind = reader.peek();
    const bool is_text = kind == JsonReader::Kind::string;
    if (name == "type" && is_text) {
      reader.read_string(type, kMaxWord);
    } else if (name == "uid" && is_text) {
      reader.read_string(message.uid, kMaxUid);
    } else if (name == "endpoint" && is_text) {
      message.has_endpoint = reader.read_string(message.value.name, kMaxResource);
    } else if (name == "dst" && is_text) {
      reader.read_string(message.dst, kMaxWord);
    } else if (name == "data" && kind == JsonReader::Kind::object && !message.has_endpoint) {
      // A client's write, or a gateway's structured value that comes before its endpoint: both are kept.
      JsonReader inside = reader;
      read_write(inside, write);
      if (inside.over_bound()) oversized = not_understood(inside);
      JsonReader whole = reader;
      message.has_data = read_value(whole, message.value);
      if (!message.has_data) oversized = not_understood(whole);
      reader.skip();
    } else if (name == "data") {
      message.has_data = read_value(reader, message.value);
    } else {
      reader.skip();
    }
  }
  if (!reader.finish()) return not_understood(reader);
  if (type == "update") {
    message.type = Message::Type::update;
  } else if (type == "new") {
    message.type = Message::Type::joined;
  } else if (type == "out") {
    message.type = Message::Type::out;
  } else if (type == "reset") {
    message.type = Message::Type::reset;
  } else {
    return make_error(Errc::rejected, type.empty() ? "no type" : "unknown type '" + type + "'");
  }
  if (write.is_write && !message.has_endpoint) {
    write.type = message.type;
    write.has_data = true;
    return write;
  }
  if (!oversized.message.empty() && !(message.has_endpoint && message.has_data)) return oversized;
  return message;
}

void append_new(std::string& out, std::string_view uid, std::string_view dst) {
  JsonWriter json(out);
  json.open_object();
  json.string("type", "new");
  json.string("uid", uid);
  json.string("dst", dst);
  json.close_object();
}

void append_text_update(std::string& out, std::string_view uid, std::string_view endpoint,
                        std::string_view text, std::string_view dst) {
  out += R"({"type":"update","uid":")";
  text::append_json_escaped(out, uid);
  out += R"(","endpoint":")";
  text::append_json_escaped(out, endpoint);
  out += R"(","data":")";
  text::append_json_escaped(out, text);
  out += R"(","dst":")";
  out += dst;
  out += "\"}";
}

void append_update(std::string& out, std::string_view uid, const Resource& resource, std::string_view dst) {
  if (is_cbor(resource)) {
    append_text_update(out, uid, resource.name, value_text(resource.bytes, resource.content_format), dst);
    return;
  }
  if (!resource.raw_json) {
    append_text_update(out, uid, resource.name, resource.bytes, dst);
    return;
  }
  out += R"({"type":"update","uid":")";
  text::append_json_escaped(out, uid);
  out += R"(","endpoint":")";
  text::append_json_escaped(out, resource.name);
  out += R"(","data":)";
  out += resource.bytes;
  out += R"(,"dst":")";
  out += dst;
  out += "\"}";
}

void append_out(std::string& out, std::string_view uid) {
  JsonWriter json(out);
  json.open_object();
  json.string("type", "out");
  json.string("uid", uid);
  json.close_object();
}

void append_reset(std::string& out, std::string_view uid) {
  JsonWriter json(out);
  json.open_object();
  json.string("type", "reset");
  json.string("uid", uid);
  json.close_object();
}

std::string client_joined(std::string_view src) {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  json.string("type", "new");
  json.string("data", "client");
  json.string("src", src);
  json.close_object();
  return out;
}

std::string client_write(std::string_view uid, std::string_view endpoint, std::string_view payload,
                         std::string_view src) {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  json.string("type", "update");
  json.open_object("data");
  json.string("uid", uid);
  json.string("endpoint", endpoint);
  json.string("payload", payload);
  json.close_object();
  json.string("src", src);
  json.close_object();
  return out;
}

std::string_view address_endpoint(const Node& node) {
  return node.address_kind == AddressKind::ip ? "ip" : "id";
}

}  // namespace aiot::broker::pyaiot
