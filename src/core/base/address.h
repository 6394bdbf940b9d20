#pragma once

#include <sys/socket.h>

#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace aiot {

/// An IP address with port and, for IPv6, scope. IPv4-mapped IPv6 addresses are kept as IPv4, so that
/// one peer has one spelling.
class SocketAddress {
 public:
  SocketAddress() = default;
  /// Copies a sockaddr_in or sockaddr_in6; anything else gives an empty address.
  static SocketAddress from(const sockaddr* address, socklen_t length);
  /// "192.0.2.1:5683", "[fe80::1%eth0]:5683", "[::]:5683", ":8000" (any address) or, with
  /// `default_port`, an address alone. Numeric only. Errc::usage otherwise.
  static Result<SocketAddress> parse(std::string_view text, std::uint16_t default_port = 0);

  /// Fills `out` for a socket of `family` (AF_INET6 maps an IPv4 address); returns the length.
  socklen_t to(sockaddr_storage& out, int family = AF_UNSPEC) const;

  [[nodiscard]] bool empty() const { return family_ == AF_UNSPEC; }
  [[nodiscard]] int family() const { return family_; }
  [[nodiscard]] std::uint16_t port() const { return port_; }
  [[nodiscard]] SocketAddress with_port(std::uint16_t port) const;
  [[nodiscard]] bool is_multicast() const;
  [[nodiscard]] bool is_loopback() const;
  [[nodiscard]] bool is_any() const;
  /// "192.0.2.1" or "fe80::1%eth0".
  [[nodiscard]] std::string host() const;
  /// "192.0.2.1:5683" or "[fe80::1%eth0]:5683".
  [[nodiscard]] std::string text() const;
  /// The host as a URI writes it: "[fe80::1%25eth0]" (RFC 6874) or "192.0.2.1".
  [[nodiscard]] std::string uri_host() const;

  friend bool operator==(const SocketAddress&, const SocketAddress&) = default;
  friend auto operator<=>(const SocketAddress&, const SocketAddress&) = default;
  [[nodiscard]] std::size_t hash() const;

 private:
  int family_ = AF_UNSPEC;
  std::uint16_t port_ = 0;
  std::uint32_t scope_ = 0;
  std::uint8_t bytes_[16] = {};  ///< 4 used for IPv4
};

/// This machine's host name; empty when it has none.
[[nodiscard]] std::string host_name();

}  // namespace aiot

template <>
struct std::hash<aiot::SocketAddress> {
  std::size_t operator()(const aiot::SocketAddress& address) const noexcept { return address.hash(); }
};
