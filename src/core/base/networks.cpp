#include "core/base/networks.h"

#include <fmt/core.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>

#include "core/base/text.h"

namespace aiot {

namespace {

std::array<std::uint8_t, 16> bytes_of(const SocketAddress& address) {
  std::array<std::uint8_t, 16> out{};
  sockaddr_storage storage{};
  address.to(storage);
  if (address.family() == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    std::memcpy(out.data(), &v4.sin_addr, 4);
  } else if (address.family() == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    std::memcpy(out.data(), &v6.sin6_addr, 16);
  }
  return out;
}

}  // namespace

Result<Networks> Networks::parse(const std::vector<std::string>& cidrs, std::string_view option) {
  Networks out;
  for (const auto& cidr : cidrs) {
    const auto slash = cidr.find('/');
    std::string host = cidr.substr(0, slash);
    if (host.find(':') != std::string::npos) host = fmt::format("[{}]", host);
    const auto bad = [&] {
      return make_error(Errc::usage,
                        fmt::format("{}{}'{}' is not a network such as 192.0.2.0/24 or fd00::/8", option,
                                    option.empty() ? "" : ": ", text::escape_controls(cidr)));
    };
    auto address = SocketAddress::parse(host + ":0");
    if (host.empty() || !address) return bad();
    Network network{address->family(), bytes_of(*address), address->family() == AF_INET ? 32U : 128U};
    if (slash != std::string::npos) {
      unsigned bits = 0;
      const char* end = cidr.data() + cidr.size();
      const auto [at, error] = std::from_chars(cidr.data() + slash + 1, end, bits);
      if (error != std::errc() || at != end || bits > network.bits) return bad();
      network.bits = bits;
    }
    out.networks_.push_back(network);
  }
  return out;
}

bool Networks::contains(const SocketAddress& address) const {
  const auto bytes = bytes_of(address);
  for (const auto& network : networks_) {
    if (network.family != address.family()) continue;
    const std::size_t whole = network.bits / 8;
    if (std::memcmp(bytes.data(), network.bytes.data(), whole) != 0) continue;
    const unsigned rest = network.bits % 8;
    if (rest == 0 || ((bytes[whole] ^ network.bytes[whole]) >> (8 - rest)) == 0) return true;
  }
  return false;
}

}  // namespace aiot
