#pragma once

#include <string_view>
#include <vector>

#include "core/base/address.h"

namespace aiot::coap {

/// The unconnected UDP sockets in a /proc/net/udp or udp6 table: who may receive what is sent to an address.
/// Lines that are not understood are skipped. Pure.
[[nodiscard]] std::vector<SocketAddress> parse_udp_table(std::string_view table, int family);

/// Whether another socket already holds this very address and port, so that a second listener, which
/// SO_REUSEADDR would allow, would steal its datagrams or starve. A specific address beside a wildcard is
/// fine. Reads the tables of the process's network namespace.
[[nodiscard]] bool udp_address_in_use(const SocketAddress& address);

}  // namespace aiot::coap
