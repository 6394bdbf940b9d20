#pragma once

#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"

namespace aiot {

/// A way out: an interface that is up and can multicast, or is loopback; listed once for each of its IPv4
/// addresses and once for IPv6.
struct NetworkLink {
  unsigned index = 0;
  bool loopback = false;
  bool multicast = false;  ///< Linux's loopback cannot, unless told to
  SocketAddress address;   ///< one of the interface's own, port 0
};

/// Every link, or those of `interface`. Errc::unreachable when there is no such interface.
[[nodiscard]] Result<std::vector<NetworkLink>> network_links(const std::string& interface);

/// Joins `group` with the UDP socket `fd` on every interface that is up, with or without an address, or on
/// `interface`; to be a member already is fine. Errc::unreachable when none could.
Result<> join_group(int fd, const SocketAddress& group, const std::string& interface);

}  // namespace aiot
