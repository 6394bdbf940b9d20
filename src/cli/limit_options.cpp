#include "cli/limit_options.h"

#include "cli/options.h"
#include "daemon/broker/broker.h"

namespace aiot::cli {

Rate rate_of(std::size_t per_second) {
  constexpr double kBurstSeconds = 10;
  const auto rate = static_cast<double>(per_second);
  return {rate, rate * kBurstSeconds};
}

void LimitOptions::add(CLI::App& app) {
  add_number(app, "--max-connections", max_connections_,
             "connections at a time (default 16384); beyond them idle and slow ones make room", 16,
             1'000'000);
  add_number(app, "--max-connections-per-address", max_connections_per_address_,
             "connections of one IPv4 address or IPv6 network of 64 bits, loopback and --trusted-proxy aside "
             "(default 256; 0: any "
             "number)",
             0, 1'000'000);
  add_number(app, "--max-nodes-per-gateway", max_nodes_per_gateway_,
             "nodes of one gateway (default 100000); updates of more are dropped and counted", 1, 200'000);
  add_number(app, "--client-rate", client_rate_,
             "messages a second that one client's WebSocket is read, ten seconds' worth at once (default "
             "1000; 0: any number); a faster one waits",
             0, 1'000'000);
  add_number(app, "--gateway-rate", gateway_rate_,
             "updates a second that are read of one gateway, ten seconds' worth at once (default 0: any "
             "number); more waits in its journal",
             0, 1'000'000);
}

void LimitOptions::fill(broker::Options& options) const {
  options.max_connections = max_connections_;
  options.max_connections_per_address = max_connections_per_address_;
  options.max_nodes_per_gateway = max_nodes_per_gateway_;
  options.client_rate = rate_of(client_rate_);
  options.gateway_rate = rate_of(gateway_rate_);
}

}  // namespace aiot::cli
