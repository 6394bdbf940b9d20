#include "core/coap/udp_holders.h"

#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

namespace aiot::coap {
namespace {

template <class T>
bool parse_hex(std::string_view text, T& out) {
  const auto result = std::from_chars(text.data(), text.data() + text.size(), out, 16);
  return result.ec == std::errc() && result.ptr == text.data() + text.size();
}

/// "0100007F:1633": 32-bit words as this machine holds them in memory, then the port.
std::optional<SocketAddress> parse_endpoint(std::string_view text, int family) {
  const std::size_t words = family == AF_INET ? 1 : 4;
  if (text.size() != words * 8 + 5 || text[words * 8] != ':') return std::nullopt;
  std::uint32_t address[4] = {};
  std::uint16_t port = 0;
  for (std::size_t i = 0; i < words; ++i)
    if (!parse_hex(text.substr(i * 8, 8), address[i])) return std::nullopt;
  if (!parse_hex(text.substr(words * 8 + 1), port)) return std::nullopt;
  if (family == AF_INET) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port);
    std::memcpy(&in.sin_addr, address, sizeof in.sin_addr);
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in), sizeof in);
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port);
  std::memcpy(&in6.sin6_addr, address, sizeof in6.sin6_addr);
  return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in6), sizeof in6);
}

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const auto word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

/// Whether a plain socket, without SO_REUSEADDR, can be bound: false too when only some other address
/// overlaps.
bool can_bind_alone(const SocketAddress& address) {
  sockaddr_storage storage{};
  const auto size = address.to(storage);
  const int fd = ::socket(address.family(), SOCK_DGRAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return true;
  const int off = 0;
  if (address.family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  const bool bound =
      ::bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0 || errno != EADDRINUSE;
  ::close(fd);
  return bound;
}

/// Scopes are not in the tables.
bool same_address(const SocketAddress& a, const SocketAddress& b) {
  if (a.family() != b.family() || a.port() != b.port()) return false;
  const auto host = [](const SocketAddress& address) {
    auto text = address.host();
    return text.substr(0, text.find('%'));
  };
  return host(a) == host(b);
}

}  // namespace

std::vector<SocketAddress> parse_udp_table(std::string_view table, int family) {
  std::vector<SocketAddress> holders;
  bool heading = true;
  while (!table.empty()) {
    auto line = table.substr(0, table.find('\n'));
    table.remove_prefix(std::min(line.size() + 1, table.size()));
    if (std::exchange(heading, false)) continue;
    next_word(line);  // "sl"
    const auto local = parse_endpoint(next_word(line), family);
    const auto remote = parse_endpoint(next_word(line), family);
    if (!local || !remote || remote->port() != 0) continue;
    holders.push_back(*local);
  }
  return holders;
}

bool udp_address_in_use(const SocketAddress& address) {
  if (address.port() == 0 || can_bind_alone(address)) return false;
  // Something overlaps: the same address, or a specific one beside a wildcard, which is no conflict.
  bool readable = false;
  bool other_wildcard = false;
  bool specific = false;
  for (const int family : {AF_INET, AF_INET6}) {
    std::ifstream file(family == AF_INET ? "/proc/self/net/udp" : "/proc/self/net/udp6");
    if (!file) continue;
    readable = true;
    const std::string table{std::istreambuf_iterator<char>(file), {}};
    for (const auto& holder : parse_udp_table(table, family)) {
      if (same_address(holder, address)) return true;
      if (holder.port() != address.port()) continue;
      (holder.is_any() ? other_wildcard : specific) = true;
    }
  }
  if (!readable) return true;
  // A wildcard of the other family that takes both: only when nothing else explains the overlap is it sure.
  return address.is_any() && other_wildcard && !specific;
}

}  // namespace aiot::coap
