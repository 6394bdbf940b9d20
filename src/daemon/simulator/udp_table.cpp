#include "daemon/simulator/udp_table.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include <charconv>
#include <cstring>
#include <fstream>
#include <optional>
#include <string>
#include <string_view>

namespace aiot::simulator {

namespace {

template <class Number>
std::optional<Number> hex(std::string_view text) {
  Number number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

/// "0100007F:1633": the address as words of this machine's byte order, the port as a number.
std::optional<SocketAddress> address_of(std::string_view text) {
  const auto colon = text.find(':');
  if (colon != 8 && colon != 32) return std::nullopt;
  const auto port = hex<std::uint16_t>(text.substr(colon + 1));
  std::uint32_t words[4] = {};
  for (std::size_t i = 0; i < colon / 8; ++i) {
    const auto word = hex<std::uint32_t>(text.substr(i * 8, 8));
    if (!word) return std::nullopt;
    words[i] = *word;
  }
  if (!port) return std::nullopt;
  if (colon == 8) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(*port);
    std::memcpy(&in.sin_addr, words, 4);
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in), sizeof in);
  }
  sockaddr_in6 in{};
  in.sin6_family = AF_INET6;
  in.sin6_port = htons(*port);
  std::memcpy(&in.sin6_addr, words, 16);
  return SocketAddress::from(reinterpret_cast<const sockaddr*>(&in), sizeof in);
}

}  // namespace

void read_udp_table(std::istream& table, std::unordered_set<SocketAddress>& addresses) {
  std::string line;
  while (std::getline(table, line)) {
    // "  sl  local_address rem_address ...": the second word.
    const auto slot_end = line.find(':');
    if (slot_end == std::string::npos) continue;
    const auto start = line.find_first_not_of(' ', slot_end + 1);
    if (start == std::string::npos) continue;
    const auto end = line.find(' ', start);
    if (end == std::string::npos) continue;
    const auto address = address_of(std::string_view(line).substr(start, end - start));
    if (address) addresses.insert(*address);
  }
}

std::unordered_set<SocketAddress> bound_udp_addresses() {
  std::unordered_set<SocketAddress> addresses;
  for (const auto* path : {"/proc/self/net/udp", "/proc/self/net/udp6"}) {
    std::ifstream table(path);
    read_udp_table(table, addresses);
  }
  return addresses;
}

}  // namespace aiot::simulator
