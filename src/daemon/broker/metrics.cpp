#include "daemon/broker/metrics.h"

#include <fmt/format.h>

#include <array>
#include <map>

#include "core/model/update.h"
#include "daemon/wire/metrics_text.h"

namespace aiot::broker {
namespace {

constexpr std::array kStates = {NodeState::live, NodeState::stale, NodeState::out};

using Writer = wire::MetricsText;
using wire::escape_label;

void write_updates(Writer& writer, const Counters& counters) {
  const auto by_protocol = [&](std::string_view name, std::string_view help, const auto& counts) {
    writer.head(name, "counter", help);
    for (std::size_t i = 0; i < counts.size(); ++i) {
      writer.value(name, fmt::format(R"(hop="broker",protocol="{}")", kProtocolLabels[i]), counts[i]);
    }
  };
  by_protocol("aiot_updates_received_total", "Updates that came from gateways.", counters.received);
  by_protocol("aiot_updates_stored_total", "Updates that were stored.", counters.stored);
  writer.head("aiot_updates_delivered_total", "counter", "Updates handed to clients, one for each client.");
  writer.value("aiot_updates_delivered_total", R"(hop="broker",protocol="WebSocket")", counters.delivered);
  writer.head("aiot_updates_dropped_total", "counter", "Updates that went no further, by reason.");
  for (std::size_t i = 0; i < counters.dropped.size(); ++i) {
    writer.value("aiot_updates_dropped_total", fmt::format(R"(hop="broker",reason="{}")", kDropLabels[i]),
                 counters.dropped[i]);
  }
}

void write_nodes(Writer& writer, const NodeTable& table) {
  std::map<std::string_view, std::array<std::size_t, kStates.size()>> counts;
  for (const auto& [name, gateway] : table.gateways()) counts[name];
  for (const auto& node : table.slots()) {
    if (node && !node->hidden) ++counts[node->owner->name][static_cast<std::size_t>(node->state)];
  }
  writer.head("aiot_nodes", "gauge", "Nodes by state and gateway.");
  for (const auto& [gateway, by_state] : counts) {
    for (const NodeState state : kStates) {
      writer.value("aiot_nodes",
                   fmt::format(R"(state="{}",gateway="{}")", to_string(state), escape_label(gateway)),
                   by_state[static_cast<std::size_t>(state)]);
    }
  }
}

void write_durations(Writer& writer, const Histogram& histogram) {
  writer.head("aiot_write_duration_seconds", "histogram", "From a request for a node to its outcome.");
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < Histogram::kBounds.size(); ++i) {
    below += histogram.counts[i];
    writer.value("aiot_write_duration_seconds_bucket", fmt::format(R"(le="{}")", Histogram::kBounds[i]),
                 below);
  }
  writer.value("aiot_write_duration_seconds_bucket", R"(le="+Inf")", histogram.count);
  writer.value("aiot_write_duration_seconds_sum", {}, histogram.sum);
  writer.value("aiot_write_duration_seconds_count", {}, histogram.count);
}

}  // namespace

std::string format_metrics(const MetricsInput& input) {
  Writer writer;
  write_updates(writer, input.counters);
  write_nodes(writer, input.table);
  writer.head("aiot_queue_bytes", "gauge", "Bytes kept for those that have not taken them yet.");
  writer.value("aiot_queue_bytes", R"(hop="broker",to="clients")", input.queue_bytes);
  writer.value("aiot_queue_bytes", R"(hop="broker",to="gateways")", input.gateway_bytes);
  writer.value("aiot_queue_bytes", R"(hop="broker",to="store")", input.store.queued);
  writer.one("aiot_store_updates_total", "counter", "Updates recorded for history.", {}, input.store.updates);
  writer.one("aiot_store_committed_total", "counter", "Of them on disk.", {}, input.store.stored);
  writer.one("aiot_store_dropped_total", "counter", "Updates that history has no room for.", {},
             input.store.dropped);
  writer.one("aiot_store_expired_total", "counter", "Updates removed by age or size.", {},
             input.store.expired);
  writer.one("aiot_store_commits_total", "counter", "Transactions.", {}, input.store.commits);
  writer.one("aiot_store_failures_total", "counter", "Transactions that failed and are tried again.", {},
             input.store.failures);
  writer.one("aiot_store_bytes", "gauge", "Bytes of the database.", {}, input.store.bytes);
  write_durations(writer, input.write_durations);
  writer.head("aiot_pending_writes", "gauge", "Requests to nodes under way.");
  writer.value("aiot_pending_writes", {}, input.pending_writes);
  writer.head("aiot_clients", "gauge", "Clients connected.");
  writer.value("aiot_clients", {}, input.clients);
  writer.head("aiot_slow_clients_total", "counter", "Clients dropped because they did not read.");
  writer.value("aiot_slow_clients_total", {}, input.counters.slow_clients);
  writer.head("aiot_paced_total", "counter", "Times that a peer was not read for a while, to keep its rate.");
  writer.value("aiot_paced_total", R"(peer="client")", input.counters.paced_clients);
  writer.value("aiot_paced_total", R"(peer="gateway")", input.counters.paced_gateways);
  writer.head("aiot_connections", "gauge", "Connections open.");
  writer.value("aiot_connections", {}, input.connections);
  writer.head("aiot_connections_refused_total", "counter",
              "Connections refused: malformed heads, no room, or too many of one address.");
  writer.value("aiot_connections_refused_total", {}, input.refused_connections);
  writer.one("aiot_connections_refused_by_address_total", "counter",
             "Of them because the address had as many as one may have.", {}, input.refused_by_address);
  writer.head("aiot_logins_total", "counter", "Attempts to log in.");
  writer.value("aiot_logins_total", R"(result="succeeded")", input.logins.succeeded);
  writer.value("aiot_logins_total", R"(result="failed")", input.logins.failed);
  writer.value("aiot_logins_total", R"(result="limited")", input.logins.limited);
  writer.one("aiot_logged_in", "gauge", "Logins that have not ended.", {}, input.logged_in);
  writer.one("aiot_access_refused_total", "counter",
             "Connections and requests without a token, login or role.", {}, input.counters.refused_access);
  writer.head("aiot_table_bytes", "gauge", "Bytes of node table that count against its bound.");
  writer.value("aiot_table_bytes", {}, input.table.bytes());
  writer.head("aiot_build_info", "gauge", "The version that runs.");
  writer.value("aiot_build_info", R"(version=")" AIOT_VERSION R"(")", 1);
  return writer.take();
}

}  // namespace aiot::broker
