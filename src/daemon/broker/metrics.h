#pragma once

#include <cstddef>
#include <string>

#include "daemon/broker/counters.h"
#include "daemon/broker/histogram.h"
#include "daemon/broker/login_routes.h"
#include "daemon/broker/node_table.h"
#include "daemon/store/store.h"

namespace aiot::broker {

/// What /metrics shows; a snapshot of everything that counts.
struct MetricsInput {
  const Counters& counters;
  const Histogram& write_durations;
  const NodeTable& table;
  std::size_t clients = 0;
  std::size_t queue_bytes = 0;    ///< for clients
  std::size_t gateway_bytes = 0;  ///< for gateways
  store::Counters store;
  std::size_t pending_writes = 0;
  std::uint64_t connections = 0;
  std::uint64_t refused_connections = 0;
  std::uint64_t refused_by_address = 0;  ///< of them because the address had its share
  LoginRoutes::Counters logins = {};
  std::size_t logged_in = 0;
};

/// In the Prometheus text format, version 0.0.4.
[[nodiscard]] std::string format_metrics(const MetricsInput& input);

}  // namespace aiot::broker
