#include "cli/status_table.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "cli/broker_api.h"
#include "cli/text_table.h"
#include "core/base/text.h"
#include "core/base/time.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

/// A figure; nothing when the hop does not tell it.
std::string count(const ordered_json& hop, const char* key) {
  const auto found = hop.find(key);
  return found != hop.end() && found->is_number_unsigned() ? std::to_string(found->get<std::uint64_t>())
                                                           : std::string();
}

/// "12 (queue_full 10, too_large 2)"
std::string dropped(const ordered_json& hop) {
  const auto found = hop.find("dropped");
  if (found == hop.end() || !found->is_object()) return {};
  std::uint64_t sum = 0;
  std::string reasons;
  for (const auto& [reason, number] : found->items()) {
    if (!number.is_number_unsigned() || number == 0) continue;
    sum += number.get<std::uint64_t>();
    reasons += fmt::format("{}{} {}", reasons.empty() ? "" : ", ", reason, number.get<std::uint64_t>());
  }
  return sum == 0 ? "0" : fmt::format("{} ({})", sum, reasons);
}

const char* colour_of(std::size_t column, const std::string& cell) {
  if (column == 1 && cell == "disconnected") return "\x1b[33m";
  if (column == 9 && cell != "0" && cell != "-") return "\x1b[31m";
  return nullptr;
}

/// The list `key` of an object, or an empty one.
ordered_json list(const ordered_json& status, const char* key) {
  const auto found = status.find(key);
  return found != status.end() && found->is_array() ? *found : ordered_json::array();
}

std::string broker_state(const ordered_json& broker) {
  const auto uptime = broker.find("uptime_s");
  if (uptime == broker.end() || !uptime->is_number()) return "up";
  const double seconds = std::clamp(uptime->get<double>(), 0.0, 1e9);
  return "up " + format_duration(std::chrono::seconds(static_cast<std::int64_t>(seconds)));
}

}  // namespace

std::string status_table(const ordered_json& status, bool colours) {
  TextTable table({"HOP", "STATE", "NODES", "RECEIVED", "STORED", "RESTORED", "ACKNOWLEDGED", "DELIVERED",
                   "QUEUED", "DROPPED"});
  for (const ordered_json& gateway : list(status, "gateways")) {
    if (!gateway.is_object()) continue;
    table.add({"gateway " + member(gateway, "name"), member(gateway, "state"), count(gateway, "nodes"),
               count(gateway, "received"), count(gateway, "journaled"), count(gateway, "restored"),
               count(gateway, "acknowledged"), count(gateway, "delivered"), count(gateway, "queued"),
               dropped(gateway)});
  }
  const auto found = status.find("broker");
  const ordered_json broker = found != status.end() && found->is_object() ? *found : ordered_json::object();
  const std::string queued = count(broker, "queued");
  table.add({"broker",
             broker_state(broker),
             {},
             count(broker, "received"),
             count(broker, "stored"),
             {},
             count(broker, "committed"),
             count(broker, "delivered"),
             queued.empty() ? queued : queued + " B",
             dropped(broker)});
  std::string out = table.text(colours ? colour_of : nullptr);
  if (status.value("balanced", false)) return out + "balanced\n";
  for (const ordered_json& problem : list(status, "problems")) {
    if (problem.is_string()) {
      out += "not balanced: " + text::escape_controls(problem.get_ref<const std::string&>()) + "\n";
    }
  }
  return list(status, "problems").empty() ? out + "not balanced\n" : out;
}

}  // namespace aiot::cli
