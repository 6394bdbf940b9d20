#include "core/base/text.h"
#include "daemon/wire/gateway_v1.h"
#include "daemon/wire/json_writer.h"

namespace aiot::wire {
namespace {

constexpr std::string_view kJournalExtension = "journal";

void append_format(JsonWriter& json, const std::optional<std::uint16_t>& content_format) {
  if (content_format) json.number("format", *content_format);
}

void append_time(JsonWriter& json, WallTime time) {
  if (time != WallTime{}) json.time_ms("time", time);
}

void append_value(JsonWriter& json, const UpdateView& update) {
  json.string("resource", update.resource);
  json.bytes("value", update.bytes);
  append_format(json, update.content_format);
  append_time(json, update.time);
  if (update.time_uncertain) json.boolean("time_uncertain", true);
}

UpdateView view_of(const Update& update) {
  return {update.uid,  update.resource,      update.bytes, update.content_format,
          update.time, update.time_uncertain};
}

void append_items(JsonWriter& json, const std::vector<Item>& items);
void append_words(JsonWriter& json, std::string_view name, const std::vector<std::string>& words) {
  if (words.empty()) return;
  json.open_array(name);
  for (const auto& word : words) json.string(word);
  json.close_array();
}
/// Extensions by name: there is one so far.
void append_extensions(JsonWriter& json, bool journal) {
  if (journal) append_words(json, "extensions", {std::string(kJournalExtension)});
}

void append_item_members(JsonWriter& json, const Item& item) {
  struct Visitor {
    JsonWriter& json;
    void event(std::string_view kind, const std::string& uid, WallTime time) const {
      json.string("event", kind);
      json.string("node", uid);
      append_time(json, time);
    }
    void operator()(const Update& update) const {
      json.string("node", update.uid);
      append_value(json, view_of(update));
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

void append_items(JsonWriter& json, const std::vector<Item>& items) {
  json.open_array("items");
  for (const Item& item : items) append_item_members(json, item);
  json.close_array();
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
    append_value(json, view_of(update));
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
    append_words(json, "earlier", hello.earlier);
    json.string("software", hello.software);
    append_extensions(json, hello.journal);
  }
  void operator()(const Welcome& welcome) const {
    json.string("type", "welcome");
    json.string("software", welcome.software);
    json.number("acknowledged", welcome.acknowledged);
    json.number("window", welcome.window_items);
    append_extensions(json, welcome.journal);
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
    if (batch.replay) json.boolean("replay", true);
    append_items(json, batch.items);
  }
  void operator()(const Live& live) const {
    json.string("type", "live");
    append_items(json, live.items);
  }
  void operator()(const NextStream& next) const {
    json.string("type", "stream");
    json.string("stream", next.stream);
    append_words(json, "earlier", next.earlier);
  }
  void operator()(const Resume& resume) const {
    json.string("type", "resume");
    json.string("stream", resume.stream);
    json.number("acknowledged", resume.acknowledged);
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
  void operator()(const Report& report) const {
    json.string("type", "counters");
    json.open_object("counters");
    for (const auto& [name, value] : report.counters) {
      json.foreign_name(name);
      json.raw(std::to_string(value));
    }
    json.close_object();
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

void append_item(std::string& out, const Item& item) {
  JsonWriter json(out);
  append_item_members(json, item);
}

void append_update(std::string& out, const UpdateView& update) {
  JsonWriter json(out);
  json.open_object();
  json.string("node", update.uid);
  append_value(json, update);
  json.close_object();
}

std::string format_batch(std::uint64_t first, bool replay, std::string_view items) {
  std::string out;
  out.reserve(items.size() + 80);
  JsonWriter json(out);
  json.open_object();
  json.string("type", "batch");
  json.number("first", first);
  if (replay) json.boolean("replay", true);
  json.open_array("items");
  out += items;
  json.close_array();
  json.close_object();
  return out;
}

std::string format_live(std::string_view items) {
  std::string out;
  out.reserve(items.size() + 32);
  out += R"({"type":"live","items":[)";
  out += items;
  out += "]}";
  return out;
}

}  // namespace aiot::wire
