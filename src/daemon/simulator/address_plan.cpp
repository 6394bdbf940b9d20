#include "daemon/simulator/address_plan.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>

#include <cstring>

namespace aiot::simulator {

namespace {

constexpr std::uint64_t kUsablePerByte = 254;  // .1 to .254

std::uint32_t ipv4_of(const SocketAddress& address) {
  sockaddr_storage storage{};
  address.to(storage);
  sockaddr_in in{};
  std::memcpy(&in, &storage, sizeof in);
  return ntohl(in.sin_addr.s_addr);
}

/// The usable addresses before this one, x.y.z.0 and x.y.z.255 not counted.
std::uint64_t ordinal(std::uint32_t address) {
  return std::uint64_t{address >> 8} * kUsablePerByte + (address & 0xFF) - 1;
}
std::uint64_t address_at(std::uint64_t ordinal) {
  return ordinal / kUsablePerByte * 256 + ordinal % kUsablePerByte + 1;
}

}  // namespace

Result<AddressPlan> AddressPlan::make(const std::string& base, std::uint16_t port, std::size_t count) {
  auto parsed = SocketAddress::parse(base, port);
  if (!parsed) {
    return make_error(Errc::usage,
                      fmt::format("\"{}\" is not a base address: {}", base, parsed.error().message));
  }
  AddressPlan plan;
  plan.base_ = *parsed;
  plan.port_ = port;
  if (parsed->is_any() || parsed->is_multicast()) {
    return make_error(Errc::usage,
                      fmt::format("nodes cannot stand at {}: give an address of one host", base));
  }
  if (parsed->family() == AF_INET) {
    const auto first = ipv4_of(*parsed);
    if ((first & 0xFF) == 0 || (first & 0xFF) == 255) {
      return make_error(Errc::usage, fmt::format("the base address {} must not end in .0 or .255", base));
    }
    const auto last = address_at(ordinal(first) + (count == 0 ? 0 : count - 1));
    const std::uint64_t bound = first >> 24 == 127 ? 0x7FFFFFFFU : 0xFFFFFFFFU;
    if (last > bound) {
      return make_error(Errc::usage,
                        fmt::format("{} nodes do not fit behind the base address {}", count, base));
    }
  }
  return plan;
}

SocketAddress AddressPlan::node(std::size_t index) const {
  sockaddr_storage storage{};
  base_.with_port(port_).to(storage);
  if (base_.family() == AF_INET) {
    sockaddr_in in{};
    std::memcpy(&in, &storage, sizeof in);
    in.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(address_at(ordinal(ipv4_of(base_)) + index)));
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in), sizeof in);
  }
  sockaddr_in6 in{};
  std::memcpy(&in, &storage, sizeof in);
  // The last 64 bits count; the rest is the network.
  std::uint64_t carry = index;
  for (int i = 15; i >= 8 && carry != 0; --i) {
    carry += in.sin6_addr.s6_addr[i];
    in.sin6_addr.s6_addr[i] = static_cast<std::uint8_t>(carry & 0xFF);
    carry >>= 8;
  }
  return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in), sizeof in);
}

}  // namespace aiot::simulator
