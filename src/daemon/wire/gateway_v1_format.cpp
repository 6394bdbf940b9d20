#include "core/base/text.h"
#include "daemon/wire/gateway_v1.h"
#include "daemon/wire/json_writer.h"

namespace aiot::wire {
namespace {

void append_format(JsonWriter& json, const std::optional<std::uint16_t>& content_format) {
  if (content_format) json.number("format", *content_format);
}

void append_value(JsonWriter& json, const Update& update) {
  json.string("resource", update.resource);
  json.bytes("value", update.bytes);
  append_format(json, update.content_format);
  json.time_ms("time", update.time);
  if (update.time_uncertain) json.boolean("time_uncertain", true);
}

void append_item(JsonWriter& json, const Item& item) {
  struct Visitor {
    JsonWriter& json;
    void event(std::string_view kind, const std::string& uid, WallTime time) const {
      json.string("event", kind);
      json.string("node", uid);
      json.time_ms("time", time);
    }
    void operator()(const Update& update) const {
      json.string("node", update.uid);
      append_value(json, update);
    }
    void operator()(const NodeJoined& joined) const {
      event("joined", joined.uid, joined.time);
      json.string("protocol", joined.protocol);
      json.string("address", joined.address);
    }
    void operator()(const NodeOut& out) const { event("out", out.uid, out.time); }
    void operator()(const NodeReset& reset) const {
      event("reset", reset.uid, reset.time);
      if (reset.protocol.empty()) return;
      json.string("protocol", reset.protocol);
      json.string("address", reset.address);
    }
    void operator()(const Notice& notice) const {
      event("notice", notice.uid, notice.time);
      json.string("kind", notice.type);
      json.string("message", notice.message);
    }
  };
  json.open_object();
  std::visit(Visitor{json}, item);
  json.close_object();
}

void append_node(JsonWriter& json, const NodeSnapshot& node) {
  json.open_object();
  json.string("node", node.uid);
  json.string("protocol", node.protocol);
  json.string("address", node.address);
  json.time_ms("first_seen", node.first_seen);
  json.time_ms("last_seen", node.last_seen);
  json.open_array("values");
  for (const Update& update : node.values) {
    json.open_object();
    append_value(json, update);
    json.close_object();
  }
  json.close_array();
  json.close_object();
}

/// Writes the members of a message after its type.
struct Formatter {
  JsonWriter& json;

  void operator()(const Hello& hello) const {
    json.string("type", "hello");
    json.number("version", hello.version);
    json.string("name", hello.name);
    json.string("site", hello.site);
    json.string("stream", hello.stream);
    json.string("software", hello.software);
  }
  void operator()(const Welcome& welcome) const {
    json.string("type", "welcome");
    json.string("software", welcome.software);
    json.number("acknowledged", welcome.acknowledged);
    json.number("window", welcome.window_items);
  }
  void operator()(const Sync& sync) const {
    json.string("type", "sync");
    json.open_array("nodes");
    for (const NodeSnapshot& node : sync.nodes) append_node(json, node);
    json.close_array();
    json.boolean("last", sync.last);
  }
  void operator()(const Batch& batch) const {
    json.string("type", "batch");
    json.number("first", batch.first);
    json.open_array("items");
    for (const Item& item : batch.items) append_item(json, item);
    json.close_array();
  }
  void operator()(const Ack& ack) const {
    json.string("type", "ack");
    json.number("sequence", ack.sequence);
  }
  void operator()(const Ask& ask) const {
    json.string("type", "ask");
    json.number("id", ask.id);
    json.string("method", to_string(ask.method));
    json.string("node", ask.uid);
    json.string("resource", ask.resource);
    json.bytes("value", ask.payload);
    append_format(json, ask.content_format);
    json.number("deadline_ms", std::chrono::ceil<std::chrono::milliseconds>(ask.deadline).count());
  }
  void operator()(const Answer& answer) const {
    json.string("type", "answer");
    json.number("id", answer.id);
    if (answer.error) {
      json.open_object("error");
      json.string("code", to_string(answer.error->code));
      json.string("message", answer.error->message);
      if (answer.error->native != 0) json.number("native", answer.error->native);
      if (answer.error->outcome != Outcome::none) json.string("outcome", to_string(answer.error->outcome));
      json.close_object();
    }
    if (!answer.code.empty()) json.string("code", answer.code);
    json.bytes("value", answer.payload);
    append_format(json, answer.content_format);
    if (!answer.confirmed.empty()) json.string("confirmed", answer.confirmed);
    if (answer.rtt) json.number("rtt_us", answer.rtt->count());
  }
  void operator()(const Refused& refused) const {
    json.string("type", "refused");
    json.string("node", refused.uid);
    json.string("reason", refused.reason);
  }
  void operator()(const Freed& freed) const {
    json.string("type", "free");
    json.string("node", freed.uid);
  }
  void operator()(const Failure& failure) const {
    json.string("type", "failure");
    json.string("code", failure.code);
    json.string("message", failure.message);
  }
};

}  // namespace

std::string format_message(const Message& message) {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  std::visit(Formatter{json}, message);
  json.close_object();
  return out;
}

void BatchWriter::add(const Item& item) {
  if (items_ != 0) body_ += ',';
  JsonWriter json(body_);
  append_item(json, item);
  ++items_;
}

std::string BatchWriter::take(std::uint64_t first) {
  std::string out;
  out.reserve(body_.size() + 64);
  JsonWriter json(out);
  json.open_object();
  json.string("type", "batch");
  json.number("first", first);
  json.open_array("items");
  out += body_;
  json.close_array();
  json.close_object();
  body_.clear();
  items_ = 0;
  return out;
}

}  // namespace aiot::wire
