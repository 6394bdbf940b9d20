#pragma once

#include <istream>
#include <unordered_set>

#include "core/base/address.h"

namespace aiot::simulator {

/// Adds the local addresses in `table`, which reads as the kernel's /proc/net/udp or udp6, to `addresses`.
/// Lines that do not read so are skipped.
void read_udp_table(std::istream& table, std::unordered_set<SocketAddress>& addresses);

/// Every address that a UDP socket of this machine (this network namespace) is bound to. SO_REUSEADDR, which
/// nodes need to share the port with a gateway on [::], would let two simulations take each other's
/// datagrams.
[[nodiscard]] std::unordered_set<SocketAddress> bound_udp_addresses();

}  // namespace aiot::simulator
