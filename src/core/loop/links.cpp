#include "core/loop/links.h"

#include <fmt/core.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <cerrno>
#include <memory>
#include <set>

namespace aiot {
namespace {

/// Calls `function` with each address (or none) of each interface that is of use, or of the one named.
template <class Function>
Result<> each_interface(const std::string& only, Function&& function) {
  if (!only.empty() && ::if_nametoindex(only.c_str()) == 0)
    return make_error(Errc::unreachable, fmt::format("{}: no such interface", only));
  ifaddrs* list = nullptr;
  if (::getifaddrs(&list) != 0) return errno_error("cannot list the interfaces", errno);
  const std::unique_ptr<ifaddrs, decltype(&::freeifaddrs)> owner(list, &::freeifaddrs);
  for (const ifaddrs* at = list; at != nullptr; at = at->ifa_next) {
    const bool useful =
        (at->ifa_flags & IFF_UP) != 0 && (at->ifa_flags & (IFF_MULTICAST | IFF_LOOPBACK)) != 0;
    if (useful && (only.empty() || only == at->ifa_name)) function(*at);
  }
  return {};
}

}  // namespace

Result<std::vector<NetworkLink>> network_links(const std::string& interface) {
  std::vector<NetworkLink> links;
  auto listed = each_interface(interface, [&](const ifaddrs& entry) {
    const int family = entry.ifa_addr == nullptr ? AF_UNSPEC : entry.ifa_addr->sa_family;
    if (family != AF_INET && family != AF_INET6) return;
    NetworkLink link;
    link.index = ::if_nametoindex(entry.ifa_name);
    link.loopback = (entry.ifa_flags & IFF_LOOPBACK) != 0;
    link.multicast = (entry.ifa_flags & IFF_MULTICAST) != 0;
    link.address =
        SocketAddress::from(entry.ifa_addr, family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
    const bool known = family == AF_INET6 && std::any_of(links.begin(), links.end(), [&](const auto& other) {
                         return other.index == link.index && other.address.family() == AF_INET6;
                       });
    if (!known && link.index != 0) links.push_back(link);
  });
  if (!listed) return std::move(listed).error();
  return links;
}

Result<> join_group(int fd, const SocketAddress& group, const std::string& interface) {
  std::set<unsigned> indexes;
  if (auto listed = each_interface(
          interface, [&](const ifaddrs& entry) { indexes.insert(::if_nametoindex(entry.ifa_name)); });
      !listed)
    return listed;
  indexes.erase(0);
  bool joined = false;
  int error = ENODEV;
  for (const auto index : indexes) {
    group_req request{};
    request.gr_interface = index;
    group.to(request.gr_group);
    const int level = group.family() == AF_INET6 ? IPPROTO_IPV6 : IPPROTO_IP;
    if (::setsockopt(fd, level, MCAST_JOIN_GROUP, &request, sizeof request) == 0 || errno == EADDRINUSE) {
      joined = true;
    } else {
      error = errno;
    }
  }
  if (joined) return {};
  return errno_error(fmt::format("cannot join {}", group.host()), error);
}

}  // namespace aiot
