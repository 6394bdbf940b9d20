#include "cli/present.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/codec/value.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

double rounded(double value, double steps) { return std::round(value * steps) / steps; }

std::string hex(std::string_view bytes) {
  std::string out;
  for (const char c : bytes) out += fmt::format("{:02x}", static_cast<unsigned char>(c));
  return out;
}

void put_text(ordered_json& object, const char* key, const std::string& value) {
  if (!value.empty()) object[key] = value;
}

ordered_json attributes_object(const Discovered& found) {
  ordered_json out = ordered_json::object();
  for (const auto& [name, value] : found.attributes) {
    const ordered_json one = value ? ordered_json(*value) : ordered_json(true);
    // RFC 6690 allows some attributes several times: a list then.
    if (!out.contains(name)) {
      out[name] = one;
    } else if (out[name].is_array()) {
      out[name].push_back(one);
    } else {
      out[name] = ordered_json::array({out[name], one});
    }
  }
  return out;
}

std::string csv_text(const ordered_json& object, const char* key) {
  const auto found = object.find(key);
  if (found == object.end()) return {};
  if (found->is_string()) return found->get<std::string>();
  return json_line(*found);
}

}  // namespace

ordered_json response_object(const Response& response, bool is_read, bool parse_json) {
  ordered_json out = ordered_json::object();
  out["time"] = format_utc(response.time);
  out["uri"] = response.uri;
  put_text(out, "node", response.node);
  put_text(out, "gateway", response.gateway);
  put_text(out, "resource", response.resource);
  if (is_read || !response.payload.empty()) {
    present_value(out, response.payload, response.content_format, parse_json);
  }
  put_text(out, "code", response.code);
  put_text(out, "protocol", response.protocol);
  if (response.qos) out["qos"] = *response.qos;
  if (response.retained) out["retained"] = *response.retained;
  if (response.state) out["state"] = std::string(to_string(*response.state));
  if (response.age) out["age_s"] = rounded(static_cast<double>(response.age->count()) / 1e6, 1000);
  if (response.sequence) out["seq"] = *response.sequence;
  if (response.time_uncertain) out["time_uncertain"] = true;
  put_text(out, "confirmed", response.confirmed);
  if (!response.etag.empty()) out["etag"] = hex(response.etag);
  if (!response.location.empty()) {
    std::string location;
    for (const std::string& segment : response.location) location += "/" + percent_encode(segment);
    out["location"] = location;
  }
  if (response.rtt) out["rtt_ms"] = rounded(static_cast<double>(response.rtt->count()) / 1e3, 100);
  return out;
}

ordered_json event_object(const StreamEvent& event) {
  ordered_json out = ordered_json::object();
  out["event"] = std::string(to_string(event.kind));
  out["time"] = format_utc(event.time);
  put_text(out, "uri", event.uri);
  put_text(out, "reason", event.reason);
  if (event.missed) out["missed"] = *event.missed;
  return out;
}

ordered_json discovered_object(const Discovered& found) {
  ordered_json out = ordered_json::object();
  out["type"] = found.type == Discovered::Type::node ? "node" : "resource";
  put_text(out, "uri", found.uri);
  put_text(out, "node", found.node);
  put_text(out, "path", found.path);
  put_text(out, "protocol", found.protocol);
  if (found.type == Discovered::Type::resource || !found.attributes.empty()) {
    out["attributes"] = attributes_object(found);
  }
  return out;
}

std::string json_line(const ordered_json& object) {
  const auto line = object.dump(-1, ' ', false, ordered_json::error_handler_t::replace);
  // RFC 8259 lets DEL and the C1 controls (C2 80 to C2 9F) stand; terminals act on them.
  std::string out;
  out.reserve(line.size());
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    const auto next = i + 1 < line.size() ? static_cast<unsigned char>(line[i + 1]) : 0U;
    if (byte == 0x7F) {
      out += "\\u007f";
    } else if (byte == 0xC2 && next < 0xA0) {
      out += fmt::format("\\u{:04x}", next);
      ++i;
    } else {
      out += line[i];
    }
  }
  return out;
}

std::string csv_field(std::string_view content) {
  if (content.find_first_of(",\"\r\n") == std::string_view::npos) return std::string(content);
  std::string out = "\"";
  for (const char c : content) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + '"';
}

std::string csv_line(const ordered_json& response, bool escape) {
  return csv_line(response, escape, {"time", "node", "resource", "uri", "value", "number", "unit"});
}

std::string csv_line(const ordered_json& object, bool escape, std::initializer_list<const char*> keys) {
  std::string out;
  for (const char* key : keys) {
    if (key != *keys.begin()) out += ',';
    const std::string field = csv_text(object, key);
    out += csv_field(escape ? text::escape_controls(field) : field);
  }
  return out + "\r\n";
}

std::string payload_text(const Response& response, bool escape, bool keep_newlines) {
  std::string value = value_text(response.payload, response.content_format);
  if (!escape) return value;
  if (!keep_newlines) return text::escape_controls(value);
  std::string out;
  for (const std::string_view line : text::split(value, '\n')) {
    if (!out.empty() || line.data() != value.data()) out += '\n';
    out += text::escape_controls(line);
  }
  return out;
}

std::string freshness_text(const Response& response, bool colours) {
  if (!response.state || !response.age) return {};
  // Milliseconds matter below a minute, seconds below an hour, and no day is worth its minutes.
  using namespace std::chrono;
  const Duration age = *response.age;
  const Duration unit = age < minutes(1)  ? Duration(milliseconds(100))
                        : age < hours(1)  ? Duration(seconds(1))
                        : age < hours(24) ? Duration(minutes(1))
                                          : Duration(hours(1));
  return fmt::format("{}  ({}, {} old){}", colours ? "\x1b[2m" : "", to_string(*response.state),
                     format_duration(age / unit * unit), colours ? "\x1b[0m" : "");
}

std::string event_sentence(const StreamEvent& event) {
  std::string out;
  if (!event.uri.empty()) out = event.uri + ": ";
  out += to_string(event.kind);
  if (!event.reason.empty()) out += ": " + event.reason;
  if (event.missed) out += fmt::format(" ({} missed)", *event.missed);
  return out;
}

std::string discovered_text(const Discovered& found, bool escape) {
  std::string out = found.uri.empty() ? found.node : found.uri;
  if (found.type == Discovered::Type::node) {
    if (!found.node.empty() && found.node != out) out += " node=" + found.node;
    if (!found.protocol.empty()) out += " protocol=" + found.protocol;
  }
  for (const auto& [name, value] : found.attributes) {
    out += " " + name;
    if (!value) continue;
    // As a quoted-string of RFC 6690 where it must be one.
    const bool quote = value->find_first_of(" \t\"") != std::string::npos;
    out += quote ? "=\"" : "=";
    for (const char c : *value) {
      if (quote && (c == '"' || c == '\\')) out += '\\';
      out += c;
    }
    if (quote) out += '"';
  }
  return escape ? text::escape_controls(out) : out;
}

}  // namespace aiot::cli
