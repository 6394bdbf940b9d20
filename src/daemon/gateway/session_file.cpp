#include "daemon/gateway/session_file.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "core/base/text.h"
#include "core/codec/value.h"
#include "core/mqttsn/topic.h"
#include "daemon/wire/json_writer.h"

namespace aiot::gateway {

namespace {

using mqttsn::InFlight;
using mqttsn::Message;
using mqttsn::Session;
using mqttsn::SessionChange;
using Kind = SessionChange::Kind;
using nlohmann::json;

constexpr std::size_t kMaxLine = 8UL * 1024 * 1024;  ///< all subscriptions of a client, each byte escaped

std::int64_t seconds(Duration time) { return std::chrono::duration_cast<std::chrono::seconds>(time).count(); }

void write_message(wire::JsonWriter& writer, const Message& message) {
  writer.string("topic", message.topic);
  writer.string("payload", text::base64(message.payload));
  writer.number("qos", message.qos);
  if (message.retain) writer.boolean("retain", true);
}

void write_session(wire::JsonWriter& writer, const Session& session) {
  writer.string("address", session.peer.address.text());
  if (!session.peer.node.empty()) writer.string("node", text::base64(session.peer.node));
  if (session.displaced) writer.boolean("displaced", true);
  writer.number("state", static_cast<int>(session.state));
  writer.boolean("clean", session.clean);
  writer.number("keep_alive", seconds(session.keep_alive));
  if (session.will) {
    writer.open_object("will");
    write_message(writer, *session.will);
    writer.close_object();
  }
  if (session.publish_id != 0) writer.number("publish_id", session.publish_id);
  if (session.in_flight.step == InFlight::Step::pubrel) writer.number("pubrel", session.in_flight.message_id);
  writer.number("last_id", session.last_message_id);
  writer.open_object("subscriptions");
  for (const auto& [filter, qos] : session.subscriptions) {
    writer.foreign_name(filter);
    writer.raw(fmt::format("{}", qos));
  }
  writer.close_object();
}

/// Reads members; anything missing or of another type makes it bad.
struct Members {
  const json& object;
  bool good = true;

  const json* find(const char* name, bool required) {
    const auto at = object.find(name);
    if (at != object.end()) return &*at;
    good = good && !required;
    return nullptr;
  }
  std::string text(const char* name) {
    const json* at = find(name, true);
    if (at != nullptr && at->is_string()) return at->get<std::string>();
    good = false;
    return {};
  }
  std::string bytes(const char* name) {
    auto decoded = text::decode_base64(text(name));
    good = good && decoded.has_value();
    return decoded.value_or(std::string());
  }
  std::int64_t number(const char* name, std::int64_t most, bool required = true) {
    const json* at = find(name, required);
    if (at == nullptr) return 0;
    const bool fits =
        at->is_number_integer() && at->get<std::int64_t>() >= 0 && at->get<std::int64_t>() <= most;
    good = good && fits;
    return fits ? at->get<std::int64_t>() : 0;
  }
  std::uint16_t id(const char* name, bool required = true) {
    return static_cast<std::uint16_t>(number(name, 0xFFFF, required));
  }
  bool flag(const char* name) {
    const json* at = find(name, false);
    if (at == nullptr) return false;
    good = good && at->is_boolean();
    return at->is_boolean() && at->get<bool>();
  }
};

bool read_message(const json& object, Message& out) {
  if (!object.is_object()) return false;
  Members members{object};
  out.topic = members.text("topic");
  out.payload = members.bytes("payload");
  out.qos = static_cast<int>(members.number("qos", 2));
  out.retain = members.flag("retain");
  return members.good && mqttsn::is_topic_name(out.topic);
}

bool read_session(const json& object, Session& session) {
  Members members{object};
  auto address = SocketAddress::parse(members.text("address"));
  if (!address) return false;
  session.peer = {*address, object.contains("node") ? members.bytes("node") : std::string()};
  session.displaced = members.flag("displaced");
  session.state =
      static_cast<Session::State>(members.number("state", static_cast<std::int64_t>(Session::State::closed)));
  session.clean = members.flag("clean");
  session.keep_alive = std::chrono::seconds(members.number("keep_alive", 0xFFFF));
  session.will.reset();
  if (object.contains("will") && !read_message(object["will"], session.will.emplace())) return false;
  session.publish_id = members.id("publish_id", false);
  session.in_flight = {};
  if (object.contains("pubrel")) {
    session.in_flight.step = InFlight::Step::pubrel;
    session.in_flight.message_id = members.id("pubrel");
  }
  session.last_message_id = members.id("last_id");
  const json* subscriptions = members.find("subscriptions", true);
  if (subscriptions == nullptr || !subscriptions->is_object()) return false;
  session.subscriptions.clear();
  for (const auto& [filter, qos] : subscriptions->items()) {
    if (!mqttsn::is_topic_filter(filter) || !qos.is_number_integer()) return false;
    session.subscriptions[filter] = std::clamp(qos.get<int>(), 0, 2);
  }
  return members.good;
}

bool read_change(const json& object, SessionFile& file) {
  Members members{object};
  const auto client_id = members.text("client");
  const auto kind = static_cast<Kind>(members.number("change", static_cast<std::int64_t>(Kind::gone)));
  if (!members.good || client_id.empty()) return false;
  if (kind == Kind::gone) return file.sessions.erase(client_id), true;
  Session& session = file.sessions[client_id];
  session.client_id = client_id;
  switch (kind) {
    case Kind::session: return read_session(object, session);
    case Kind::topic: {
      const auto id = members.id("id");
      const auto name = members.text("name");
      const bool known = members.flag("known");
      if (!members.good || id == 0 || !mqttsn::is_topic_name(name)) return false;
      session.topics.restore(id, name, known);
      return true;
    }
    case Kind::queued: {
      Message message;
      if (!read_message(object, message)) return false;
      session.queued_bytes += message.size();
      session.queue.push_back(std::move(message));
      return true;
    }
    case Kind::dequeued:
      if (session.queue.empty()) return false;
      session.queued_bytes -= session.queue.front().size();
      session.queue.pop_front();
      session.publish_id = 0;
      session.in_flight = {};
      return true;
    case Kind::unreleased: session.unreleased.insert(members.id("id")); break;
    case Kind::released: session.unreleased.erase(members.id("id")); break;
    default:
      session.queue.clear();
      session.queued_bytes = 0;
      session.publish_id = 0;
      session.in_flight = {};
      session.unreleased.clear();
      session.topics.forget_known();
  }
  return members.good;
}

}  // namespace

std::string session_file_head() {
  return fmt::format("{{\"aiot\":\"gateway MQTT-SN sessions\",\"version\":{}}}\n", kSessionFileVersion);
}

void append_change(std::string& out, const Session& session, SessionChange change) {
  wire::JsonWriter writer(out);
  writer.open_object();
  writer.string("client", session.client_id);
  writer.number("change", static_cast<int>(change.kind));
  switch (change.kind) {
    case Kind::session: write_session(writer, session); break;
    case Kind::topic: {
      const auto* name = session.topics.name(change.id);
      writer.number("id", change.id);
      writer.string("name", name == nullptr ? std::string_view() : std::string_view(*name));
      if (session.topics.known(change.id)) writer.boolean("known", true);
      break;
    }
    case Kind::queued: write_message(writer, session.queue.back()); break;
    case Kind::unreleased:
    case Kind::released: writer.number("id", change.id); break;
    default: break;
  }
  writer.close_object();
  out.push_back('\n');
}

void append_session(std::string& out, const Session& session) {
  append_change(out, session, {Kind::session});
  for (const auto& [id, name] : session.topics.all()) append_change(out, session, {Kind::topic, id});
  for (const auto id : session.unreleased) append_change(out, session, {Kind::unreleased, id});
  for (const auto& message : session.queue) {
    if (message.qos == 0 || message.expires != TimePoint::max()) continue;
    wire::JsonWriter writer(out);
    writer.open_object();
    writer.string("client", session.client_id);
    writer.number("change", static_cast<int>(Kind::queued));
    write_message(writer, message);
    writer.close_object();
    out.push_back('\n');
  }
}

Result<SessionFile> parse_session_file(std::string_view text) {
  SessionFile out;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = text.find('\n', at);
    if (end == std::string_view::npos) break;
    const auto line = text.substr(at, end - at);
    at = end + 1;
    ++out.lines;
    const auto bad = [&](std::string_view what) {
      return make_error(Errc::internal, fmt::format("line {}: {}", out.lines, what));
    };
    if (line.size() > kMaxLine) return bad("longer than any");
    auto object = parse_json(line);
    if (!object || !object->is_object()) return bad("not a JSON object");
    if (out.lines == 1) {
      Members members{*object};
      if (members.text("aiot") != "gateway MQTT-SN sessions") return bad("not a file of MQTT-SN sessions");
      if (members.number("version", 1'000'000) != kSessionFileVersion)
        return bad("a version that is not known here");
    } else if (!read_change(*object, out)) {
      return bad("not a change of a session");
    }
    out.whole = at;
  }
  // A client that was about to connect when the gateway ended.
  std::erase_if(out.sessions, [](const auto& entry) { return entry.second.peer.address.empty(); });
  return out;
}

}  // namespace aiot::gateway
