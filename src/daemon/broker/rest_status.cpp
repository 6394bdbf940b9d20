#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <string_view>

#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest.h"

/// The ledger: received, stored, queued and dropped at every hop, and whether the numbers agree.
namespace aiot::broker {
namespace {

constexpr std::string_view kDroppedPrefix = "dropped.";

std::uint64_t reported(const GatewayRecord& gateway, std::string_view name) {
  for (const auto& [key, value] : gateway.reported)
    if (key == name) return value;
  return 0;
}

/// Why a gateway's own numbers do not agree; empty when they do, or when it tells none.
std::string imbalance(const GatewayRecord& gateway) {
  if (gateway.reported.empty()) return {};
  const auto in = reported(gateway, "journaled") + reported(gateway, "restored");
  const auto out = reported(gateway, "acknowledged") + reported(gateway, "queued") +
                   reported(gateway, "dropped.journal_full") + reported(gateway, "dropped.journal_damaged");
  if (in == out) return {};
  return fmt::format(
      "gateway {}: {} items were journaled or restored, but {} acknowledged, queued or dropped", gateway.name,
      in, out);
}

void write_gateway_status(wire::JsonWriter& json, const GatewayRecord& gateway) {
  json.open_object();
  json.string("name", gateway.name);
  if (!gateway.site.empty()) json.string("site", gateway.site);
  json.string("state", gateway.link != nullptr ? "connected" : "disconnected");
  json.number("nodes", gateway.nodes);
  json.number("delivered", gateway.updates);
  if (!gateway.reported.empty()) {
    for (const auto& [name, value] : gateway.reported) {
      if (name.rfind(kDroppedPrefix, 0) == 0) continue;
      json.foreign_name(name);
      json.raw(std::to_string(value));
    }
    json.open_object("dropped");
    for (const auto& [name, value] : gateway.reported) {
      if (name.rfind(kDroppedPrefix, 0) != 0) continue;
      json.foreign_name(std::string_view(name).substr(kDroppedPrefix.size()));
      json.raw(std::to_string(value));
    }
    json.close_object();
    json.string("counted_at", format_utc(gateway.reported_at));
  }
  json.close_object();
}

}  // namespace

void show_status(const RestServices& services, RestCall call) {
  services.announcements.count_delivered();
  const Counters& counters = services.counters;
  const auto store = services.store->counters();
  const auto sum = [](const auto& numbers) {
    return std::accumulate(numbers.begin(), numbers.end(), std::uint64_t{0});
  };
  const auto received = sum(counters.received), stored = sum(counters.stored);
  const auto dropped = [&](Drop why) { return counters.dropped[static_cast<std::size_t>(why)]; };
  std::vector<std::string> problems;
  const auto refused = dropped(Drop::not_owner) + dropped(Drop::table_full);
  if (received != stored + refused) {
    problems.push_back(fmt::format("broker: {} updates were received, but {} stored or dropped", received,
                                   stored + refused));
  }
  std::vector<const GatewayRecord*> gateways;
  for (const auto& [name, gateway] : services.table.gateways()) gateways.push_back(gateway.get());
  std::sort(gateways.begin(), gateways.end(), [](const auto* a, const auto* b) { return a->name < b->name; });
  for (const auto* gateway : gateways)
    if (auto why = imbalance(*gateway); !why.empty()) problems.push_back(std::move(why));

  std::string body;
  wire::JsonWriter json(body);
  json.open_object();
  json.open_object("broker");
  json.string("version", AIOT_VERSION);
  json.number("uptime_s", std::chrono::duration<double>(services.loop.now() - services.since).count());
  json.number("clients", services.announcements.clients());
  json.number("received", received);
  json.number("stored", stored);
  json.open_object("dropped");
  for (std::size_t i = 0; i < counters.dropped.size(); ++i) {
    if (counters.dropped[i] == 0) continue;
    json.number(kDropLabels[i], counters.dropped[i]);
  }
  json.close_object();
  json.number("delivered", counters.delivered);
  json.number("queued", store.queued);
  json.number("committed", store.stored);
  json.number("bytes", store.bytes);
  json.close_object();
  json.open_array("gateways");
  for (const auto* gateway : gateways) write_gateway_status(json, *gateway);
  json.close_array();
  json.boolean("balanced", problems.empty());
  json.open_array("problems");
  for (const auto& problem : problems) json.string(problem);
  json.close_array();
  json.close_object();
  call.reply(json_response(std::move(body)));
}

void show_dashboard(const RestServices& services, RestCall call) {
  call.reply(json_response(services.site.describe(services.loop.wall_now())));
}

}  // namespace aiot::broker
