#include "daemon/broker/node_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/base/uri.h"
#include "core/codec/content_format.h"
#include "core/codec/quantity.h"
#include "core/codec/value.h"

namespace aiot::broker {
namespace {

using wire::JsonWriter;

std::string uri_of(std::string_view host, std::string_view uid, std::string_view resource) {
  std::string uri = fmt::format("aiot://{}/{}", host, percent_encode(uid));
  for (const std::string_view segment : text::split(resource, '/')) {
    uri += '/';
    uri += percent_encode(segment);
  }
  return uri;
}

void write_times(JsonWriter& json, const Node& node) {
  json.string("first_seen", format_utc(node.first_seen));
  json.string("last_seen", format_utc(node.last_seen));
}

}  // namespace

void write_value(JsonWriter& json, std::string_view bytes, std::optional<std::uint16_t> content_format,
                 bool raw_json) {
  // Text, by far the most, without a tree.
  if (!raw_json && (!content_format || *content_format == content_format::kText) && text::is_utf8(bytes)) {
    json.string("value", bytes);
    if (const auto quantity = parse_quantity(bytes)) {
      json.number("number", quantity->number);
      if (!quantity->unit.empty()) json.string("unit", quantity->unit);
    }
    if (content_format) json.string("format", content_format_name(*content_format));
    return;
  }
  nlohmann::ordered_json object;
  present_value(object, bytes, content_format, raw_json);
  for (const auto& [name, value] : object.items()) {
    json.name(name);
    json.raw(value.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
  }
}

void write_labels(JsonWriter& json, const Node& node) {
  json.open_object("labels");
  for (const auto& [name, value] : node.labels) {
    json.foreign_name(name);
    json.string(value);
  }
  json.close_object();
}

void write_node(JsonWriter& json, const Node& node, const Scope& scope) {
  json.open_object();
  json.string("uid", node.uid);
  json.string("protocol", node.protocol);
  json.string("gateway", node.owner->name);
  json.string("state", to_string(node.state));
  json.string("address", node.address);
  write_times(json, node);
  write_labels(json, node);
  json.open_object("resources");
  for (const Resource& resource : node.resources) {
    if (!scope.covers_resource(resource.name)) continue;
    json.foreign_name(resource.name);
    json.open_object();
    write_value(json, resource.bytes, resource.content_format, resource.raw_json);
    json.string("time", format_utc(resource.time));
    if (resource.time_uncertain) json.boolean("time_uncertain", true);
    json.close_object();
  }
  json.close_object();
  json.open_object("stats");
  if (node.interval_s > 0) json.number("interval_s", node.interval_s);
  json.number("resets", node.resets);
  json.number("timeouts", node.timeouts);
  json.number("rejected_writes", node.rejected_writes);
  json.close_object();
  json.close_object();
}

void write_gateway(JsonWriter& json, const GatewayRecord& gateway, std::string_view credential) {
  json.open_object();
  json.string("name", gateway.name);
  if (!gateway.site.empty()) json.string("site", gateway.site);
  json.string("wire", gateway.native ? wire::kGatewayV1 : "pyaiot");
  json.string("state", gateway.link != nullptr ? "connected" : "disconnected");
  json.string("peer", gateway.peer);
  json.string("software", gateway.software);
  if (!gateway.stream.empty()) json.string("stream", gateway.stream);
  if (!credential.empty()) json.string("credential", credential);
  json.string("connected_since", format_utc(gateway.connected_since));
  json.string("last_seen", format_utc(gateway.last_seen));
  json.number("nodes", gateway.nodes);
  json.number("updates", gateway.updates);
  json.close_object();
}

std::string write_sentence(const NodeRequest& request, const Result<wire::Answer>& result) {
  const std::string what = fmt::format("{} {}/{}", to_string(request.method), request.uid, request.resource);
  if (!result) return fmt::format("{} failed: {}", what, result.error().message);
  return fmt::format("{} was confirmed by {}", what,
                     result->confirmed == "echo" ? "the value coming back" : "the node");
}

std::string write_data(const NodeRequest& request, const Result<wire::Answer>& result) {
  constexpr std::size_t kMost = 1024;  // an event is no place for a firmware image
  std::string out;
  JsonWriter json(out);
  json.open_object();
  json.string("resource", request.resource);
  json.string("method", to_string(request.method));
  if (!request.by.empty()) json.string("by", request.by);
  if (request.payload.size() <= kMost) json.bytes("value", request.payload);
  if (result) {
    json.string("confirmed", result->confirmed);
    if (!result->code.empty()) json.string("code", result->code);
  } else {
    json.open_object("error");
    json.string("code", to_string(result.error().code));
    if (result.error().native != 0) json.number("native", result.error().native);
    if (result.error().outcome != Outcome::none) json.string("outcome", to_string(result.error().outcome));
    json.close_object();
  }
  json.close_object();
  return out;
}

void write_event(JsonWriter& json, const store::Event& event) {
  json.open_object();
  json.number("id", event.id);
  json.string("time", format_utc(event.time));
  json.string("type", event.type);
  if (!event.gateway.empty()) json.string("gateway", event.gateway);
  if (!event.uid.empty()) json.string("node", event.uid);
  json.string("message", event.message);
  if (!event.data.empty()) {
    json.name("data");
    json.raw(event.data);
  }
  json.close_object();
}

std::string value_json(const Node& node, const Resource& resource, std::string_view host, WallTime now) {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  json.string("time", format_utc(resource.time));
  json.string("uri", uri_of(host, node.uid, resource.name));
  json.string("node", node.uid);
  json.string("gateway", node.owner->name);
  json.string("resource", resource.name);
  write_value(json, resource.bytes, resource.content_format, resource.raw_json);
  json.string("protocol", node.protocol);
  json.string("state", to_string(node.state));
  json.number("age_s",
              static_cast<double>(std::max<std::int64_t>((now - resource.time).count(), 0)) / 1000.0);
  if (resource.time_uncertain) json.boolean("time_uncertain", true);
  json.close_object();
  return out;
}

std::string answer_json(const NodeAnswer& answered, std::string_view host, WallTime now) {
  std::string out;
  JsonWriter json(out);
  json.open_object();
  json.string("time", format_utc(now));
  json.string("uri", uri_of(host, answered.uid, answered.resource));
  json.string("node", answered.uid);
  json.string("gateway", answered.gateway);
  json.string("resource", answered.resource);
  if (answered.has_value) write_value(json, answered.value, answered.content_format);
  if (!answered.answer.code.empty()) json.string("code", answered.answer.code);
  json.string("protocol", answered.protocol);
  json.string("state", to_string(NodeState::live));
  if (!answered.answer.confirmed.empty()) json.string("confirmed", answered.answer.confirmed);
  if (answered.answer.rtt) {
    json.number("rtt_ms", static_cast<double>(answered.answer.rtt->count()) / 1000.0);
  }
  json.close_object();
  return out;
}

}  // namespace aiot::broker
