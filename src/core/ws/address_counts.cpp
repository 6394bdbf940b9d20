#include "core/ws/address_counts.h"

#include <netinet/in.h>

#include <algorithm>
#include <cstring>

namespace aiot::ws {

SocketAddress subscriber_of(const SocketAddress& peer) {
  if (peer.family() != AF_INET6) return peer.with_port(0);
  sockaddr_storage storage{};
  const auto size = peer.to(storage);
  sockaddr_in6 network{};
  std::memcpy(&network, &storage, sizeof network);
  network.sin6_port = 0;
  std::fill(network.sin6_addr.s6_addr + 8, network.sin6_addr.s6_addr + 16, std::uint8_t{0});
  std::memcpy(&storage, &network, sizeof network);
  return SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size);
}

void AddressCounts::remove(const SocketAddress& subscriber) {
  const auto found = counts_.find(subscriber);
  if (found != counts_.end() && --found->second == 0) counts_.erase(found);
}

std::size_t AddressCounts::of(const SocketAddress& subscriber) const {
  const auto found = counts_.find(subscriber);
  return found == counts_.end() ? 0 : found->second;
}

}  // namespace aiot::ws
