#include "daemon/broker/client_v1_json.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "core/codec/quantity.h"
#include "core/codec/value.h"
#include "daemon/broker/follower_limits.h"
#include "daemon/broker/node_json.h"
#include "daemon/wire/client_v1.h"
#include "daemon/wire/gateway_v1.h"
#include "daemon/wire/json_writer.h"

namespace aiot::broker::client_v1 {
namespace {

using wire::JsonWriter;

std::string dump(const nlohmann::ordered_json& value) {
  return value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

/// The exact bytes, and what they read as where that costs a client more than looking at them.
void write_value(JsonWriter& json, const Resource& resource) {
  auto format = resource.content_format;
  if (resource.raw_json) format = content_format::kJson;
  json.bytes("value", resource.bytes);
  if (format) json.number("format", *format);
  if (!format || *format == content_format::kText) {
    if (const auto quantity = parse_quantity(resource.bytes)) {
      json.number("number", quantity->number);
      if (!quantity->unit.empty()) json.string("unit", quantity->unit);
    }
    return;
  }
  nlohmann::ordered_json shown;
  present_value(shown, resource.bytes, format);
  const auto& value = shown["value"];
  const bool binary = *format == content_format::kCbor || *format == content_format::kSenmlCbor ||
                      *format == content_format::kSensmlCbor;
  if (binary && !shown.contains("encoding") && (!value.is_string() || value != resource.bytes)) {
    json.name("json");
    json.raw(dump(value));
  }
  for (const char* name : {"number", "unit"}) {
    if (!shown.contains(name)) continue;
    json.name(name);
    json.raw(dump(shown[name]));
  }
}

void write_time(JsonWriter& json, const Resource& resource) {
  json.time_ms("time", resource.time);
  if (resource.time_uncertain) json.boolean("time_uncertain", true);
  if (resource.sequence != 0) json.number("seq", resource.sequence);
}

void write_identity(JsonWriter& json, const Node& node) {
  json.string("node", node.uid);
  json.string("gateway", node.owner->name);
  json.string("protocol", node.protocol);
  json.string("address", node.address);
  json.string("state", to_string(node.state));
  if (!node.labels.empty()) write_labels(json, node);
}

/// What is not zero of REST's statistics: most nodes have little to tell.
void write_statistics(JsonWriter& json, const Node& node) {
  const std::pair<std::string_view, std::uint64_t> counts[] = {
      {"resets", node.resets}, {"timeouts", node.timeouts}, {"rejected_writes", node.rejected_writes}};
  json.open_object("stats");
  if (node.interval_s > 0) json.number("interval_s", node.interval_s);
  for (const auto& [name, count] : counts)
    if (count > 0) json.number(name, count);
  json.close_object();
}

JsonWriter begin(std::string& out, std::string_view type) {
  JsonWriter json(out);
  json.open_object();
  json.string("type", type);
  return json;
}

std::string text_of(const nlohmann::json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

}  // namespace

void append_update(std::string& out, const Node& node, const Resource& resource) {
  JsonWriter json(out);
  json.open_object();
  json.string("node", node.uid);
  json.string("resource", resource.name);
  write_value(json, resource);
  write_time(json, resource);
  json.close_object();
}

void append_event(std::string& out, std::string_view event, const Node& node, WallTime now) {
  JsonWriter json(out);
  json.open_object();
  json.string("event", event);
  write_identity(json, node);
  json.time_ms("time", now);
  json.close_object();
}

void append_event(std::string& out, std::string_view event, const GatewayRecord& gateway, WallTime now) {
  JsonWriter json(out);
  json.open_object();
  json.string("event", event);
  json.string("gateway", gateway.name);
  json.time_ms("time", now);
  json.close_object();
}

void append_node_head(std::string& out, const Node& node) {
  JsonWriter json(out);
  json.open_object();
  write_identity(json, node);
  json.time_ms("first_seen", node.first_seen);
  json.time_ms("last_seen", node.last_seen);
  write_statistics(json, node);
  json.open_array("values");
}

void append_value(std::string& out, const Resource& resource) {
  JsonWriter json(out);
  json.open_object();
  json.string("resource", resource.name);
  write_value(json, resource);
  write_time(json, resource);
  json.close_object();
}

void begin_updates(std::string& out, std::uint64_t id) {
  auto json = begin(out, "updates");
  json.number("id", id);
  json.open_array("items");
}

void append_snapshot(std::string& out, std::uint64_t id, std::string_view nodes, bool last) {
  auto json = begin(out, "snapshot");
  json.number("id", id);
  if (last) json.boolean("last", true);
  json.open_array("nodes");
  out += nodes;
  out += "]}";
}

std::string welcome() {
  std::string out;
  auto json = begin(out, "welcome");
  json.number("version", 1);
  json.string("software", "aiot " AIOT_VERSION);
  json.open_object("limits");
  json.number("subscriptions", kMaxSubscriptions);
  json.number("patterns", wire::client_v1::kMaxPatterns);
  json.number("patterns_in_all", kMaxSessionPatterns);
  json.number("node_globs", kMaxNodeGlobs);
  json.number("requests", kMaxRequests);
  json.number("message_bytes", kMaxClientMessage);
  json.close_object();
  json.close_object();
  return out;
}

std::string unsubscribed(std::uint64_t id) {
  std::string out;
  auto json = begin(out, "unsubscribed");
  json.number("id", id);
  json.close_object();
  return out;
}

std::string refused(std::uint64_t id, const Error& why) {
  std::string out;
  auto json = begin(out, "refused");
  json.number("id", id);
  json.string("code", to_string(why.code));
  json.string("message", why.message);
  json.close_object();
  return out;
}

std::string gap(std::uint64_t id, std::uint64_t missed, std::uint64_t events, std::string_view reason) {
  std::string out;
  auto json = begin(out, "gap");
  json.number("id", id);
  json.number("missed", missed);
  if (events > 0) json.number("events", events);
  json.string("reason", reason);
  json.close_object();
  return out;
}

std::string failure(std::string_view code, std::string_view message) {
  return wire::format_message(wire::Failure{std::string(code), std::string(message)});
}

std::string result(std::uint64_t id, bool write, const ws::HttpResponse& answer) {
  std::string out;
  auto json = begin(out, "result");
  json.number("id", id);
  if (answer.status / 100 == 2 && answer.body.size() > 2 && answer.body.front() == '{') {
    out += ',';
    out.append(answer.body, 1);  // an object of REST's: its members are ours
    return out;
  }
  const auto problem = nlohmann::json::parse(answer.body, nullptr, false);
  const bool known = problem.is_object();
  const std::string type = known ? text_of(problem, "type") : std::string();
  const std::string code = known ? text_of(problem, "code") : std::string();
  std::string outcome = known ? text_of(problem, "outcome") : std::string();
  // Without an outcome it is the broker that said no, before anything left.
  if (outcome.empty() && write)
    outcome = to_string(answer.status < 500 ? Outcome::not_sent : Outcome::unknown);
  if (!code.empty()) json.string("code", code);
  json.open_object("error");
  json.string("code", type.empty() ? "internal" : std::string_view(type).substr(type.rfind(':') + 1));
  json.string("message",
              known ? text_of(problem, "detail") : fmt::format("the broker's answer was {}", answer.status));
  if (!outcome.empty()) json.string("outcome", outcome);
  json.close_object();
  json.close_object();
  return out;
}

std::string result(std::uint64_t id, const Error& error) {
  std::string out;
  auto json = begin(out, "result");
  json.number("id", id);
  json.open_object("error");
  json.string("code", to_string(error.code));
  json.string("message", error.message);
  if (error.outcome != Outcome::none) json.string("outcome", to_string(error.outcome));
  json.close_object();
  json.close_object();
  return out;
}

}  // namespace aiot::broker::client_v1
