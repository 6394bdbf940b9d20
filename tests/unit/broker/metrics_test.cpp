#include "daemon/broker/metrics.h"

#include "daemon/wire/metrics_text.h"

#include <catch2/catch.hpp>

#include "unit/broker/fakes.h"

using namespace aiot::broker;

TEST_CASE("metrics are in Prometheus' text format and hold what was counted") {
  NodeTable table;
  Counters counters;
  Histogram durations;
  RecordingHub hub;
  RecordingEvents events;
  Records records;
  Routing routing(table, hub, events, records, counters);
  FakeLink link;
  auto& gateway = routing.connected({"pa\"ris\\", "", "", "", "", true}, link, {});
  routing.apply(
      gateway,
      std::vector<aiot::wire::Item>{aiot::wire::NodeJoined{"n", "CoAP", "x", {}}, update("n", "led", "0")},
      {});
  counters.drop(Drop::slow_client, 7);
  durations.observe(0.003);
  durations.observe(99);
  counters.paced_clients = 11;
  const std::string text = format_metrics({counters, durations, table, 3, 4, 5, {}, 6, 7, 8, 9});
  for (const auto* line : {
           "aiot_updates_received_total{hop=\"broker\",protocol=\"CoAP\"} 1\n",
           "aiot_updates_dropped_total{hop=\"broker\",reason=\"slow_client\"} 7\n",
           "aiot_nodes{state=\"live\",gateway=\"pa\\\"ris\\\\\"} 1\n",
           "aiot_write_duration_seconds_bucket{le=\"0.0025\"} 0\n",
           "aiot_write_duration_seconds_bucket{le=\"0.005\"} 1\n",
           "aiot_write_duration_seconds_bucket{le=\"+Inf\"} 2\n",
           "aiot_write_duration_seconds_sum 99.003\n",
           "# TYPE aiot_write_duration_seconds histogram\n",
           "aiot_queue_bytes{hop=\"broker\",to=\"clients\"} 4\n",
           "aiot_connections_refused_total 8\n",
           "aiot_connections_refused_by_address_total 9\n",
           "aiot_paced_total{peer=\"client\"} 11\n",
           "aiot_build_info{version=\"",
       }) {
    INFO(line);
    CHECK(text.find(line) != std::string::npos);
  }
}

TEST_CASE("label values are escaped") { CHECK(aiot::wire::escape_label("a\\b\"c\nd") == "a\\\\b\\\"c\\nd"); }
