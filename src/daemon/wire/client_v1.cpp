#include "daemon/wire/client_v1.h"

#include <array>
#include <utility>

#include "daemon/wire/gateway_v1_items.h"
#include "daemon/wire/json_reader.h"

namespace aiot::wire::client_v1 {
namespace {

constexpr std::size_t kMaxKey = 1024;  // what is longer is refused with words, by whom it concerns
constexpr std::size_t kMaxRawFormat = 128;

bool read_id(JsonReader& reader, std::uint64_t& out, bool& has) {
  has = reader.read_unsigned(out);
  return has && (out <= kMaxId || reader.fail("an id above 2^53 - 1"));
}

bool read_patterns(JsonReader& reader, std::vector<std::string>& out, std::size_t longest) {
  out.clear();
  reader.enter_array();
  while (reader.next_element()) {
    if (out.size() >= kMaxPatterns) return reader.fail("a subscription of more than 1024 patterns");
    if (!reader.read_string(out.emplace_back(), longest)) return false;
  }
  return !reader.failed();
}

bool read_duration(JsonReader& reader, std::optional<Duration>& out) {
  std::uint64_t ms = 0;
  if (!reader.read_unsigned(ms)) return false;
  if (ms == 0 || ms > static_cast<std::uint64_t>(kMaxDeadline / std::chrono::milliseconds(1))) {
    return reader.fail("a deadline that is not between 1 and 300000 ms");
  }
  out = std::chrono::milliseconds(ms);
  return true;
}

bool read_json(JsonReader& reader, std::string& out) {
  std::string_view raw;
  if (!reader.read_raw(raw)) return false;
  out = raw;
  return true;
}

bool read_method(JsonReader& reader, Method& out) {
  std::string word;
  if (!reader.read_string(word, kMaxWord)) return false;
  for (const Method method : {Method::put, Method::post, Method::del}) {
    if (to_string(method) == word) {
      out = method;
      return true;
    }
  }
  return reader.fail("a method other than PUT, POST and DELETE");
}

bool take(Hello& hello, std::string_view name, JsonReader& reader, bool& has_version) {
  if (name == "version") return has_version = read_int(reader, hello.version);
  if (name == "software") return reader.read_string(hello.software, kMaxGatewayName);
  return reader.skip();
}

bool take(Subscribe& subscribe, std::string_view name, JsonReader& reader, bool& has_id) {
  if (name == "id") return read_id(reader, subscribe.id, has_id);
  if (name == "nodes") return read_patterns(reader, subscribe.nodes, kMaxUid);
  if (name == "resources") return read_patterns(reader, subscribe.resources, kMaxResource);
  if (name == "conflate") return reader.read_bool(subscribe.conflate);
  if (name == "snapshot") return reader.read_bool(subscribe.snapshot);
  if (name == "events") return reader.read_bool(subscribe.events);
  if (name == "window") {
    return reader.read_unsigned(subscribe.window) &&
           (subscribe.window <= kMaxWindow || reader.fail("a window above 1000000"));
  }
  return reader.skip();
}

bool take(Unsubscribe& unsubscribe, std::string_view name, JsonReader& reader, bool& has_id) {
  return name == "id" ? read_id(reader, unsubscribe.id, has_id) : reader.skip();
}

bool take(Ack& ack, std::string_view name, JsonReader& reader, bool& has_id) {
  if (name == "id") return read_id(reader, ack.id, has_id);
  return name == "batches" ? reader.read_unsigned(ack.batches) : reader.skip();
}

bool take(Read& read, std::string_view name, JsonReader& reader, bool& has_id) {
  if (name == "id") return read_id(reader, read.id, has_id);
  if (name == "node") return reader.read_string(read.node, kMaxUid);
  if (name == "resource") return reader.read_string(read.resource, kMaxResource);
  if (name == "live") return reader.read_bool(read.live);
  return name == "deadline_ms" ? read_duration(reader, read.deadline) : reader.skip();
}

bool take(Write& write, std::string_view name, JsonReader& reader, bool& has_id) {
  if (name == "id") return read_id(reader, write.id, has_id);
  if (name == "method") return read_method(reader, write.method);
  if (name == "node") return reader.read_string(write.node, kMaxUid);
  if (name == "resource") return reader.read_string(write.resource, kMaxResource);
  if (name == "value") return read_json(reader, write.value);
  if (name == "encoding") return read_json(reader, write.encoding);
  if (name == "format") {
    return read_json(reader, write.format) &&
           (write.format.size() <= kMaxRawFormat || reader.fail("a format that is too long"));
  }
  if (name == "deadline_ms") return read_duration(reader, write.deadline);
  if (name == "expires_ms") return read_duration(reader, write.expires);
  return name == "key" ? reader.read_string(write.key.emplace(), kMaxKey) : reader.skip();
}

/// Reads a message of one kind; `missing` is told when it lacks what it must have.
template <class M>
Result<Message> read(std::string_view text, const char* missing) {
  JsonReader reader(text);
  M message;
  bool complete = false;
  std::string_view name;
  reader.enter_object();
  while (reader.next_member(name)) take(message, name, reader, complete);
  if (reader.finish() && !complete) reader.fail(missing);
  if constexpr (std::is_same_v<M, Read> || std::is_same_v<M, Write>) {
    if (!reader.failed() && message.node.empty()) reader.fail("a request without its node");
  }
  if (reader.failed()) return reader.error();
  return Message(std::move(message));
}

}  // namespace

Result<Message> parse(std::string_view text) {
  JsonReader reader(text);
  std::string type;
  std::string_view name;
  reader.enter_object();
  while (type.empty() && reader.next_member(name)) {
    if (name == "type") {
      reader.read_string(type, kMaxWord);
    } else {
      reader.skip();
    }
  }
  if (type.empty()) {
    reader.fail("a message without its type");
    return reader.error();
  }
  if (type == "hello") return read<Hello>(text, "a hello without its version");
  if (type == "subscribe") return read<Subscribe>(text, "a subscribe without its id");
  if (type == "unsubscribe") return read<Unsubscribe>(text, "an unsubscribe without its id");
  if (type == "ack") return read<Ack>(text, "an ack without its id");
  if (type == "read") return read<Read>(text, "a read without its id");
  if (type == "write") return read<Write>(text, "a write without its id");
  return make_error(Errc::usage, "a message of an unknown type");
}

}  // namespace aiot::wire::client_v1
