#include "core/base/address.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <net/if.h>
#include <netinet/in.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>

namespace aiot {

namespace {

constexpr std::uint8_t kMappedPrefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF};

/// Scopes distinguish addresses only where the prefix is link-local (RFC 4007); elsewhere the kernel and
/// its users disagree on whether to fill them, which would give one peer two spellings.
bool has_scope(const std::uint8_t* bytes) {
  const bool unicast = bytes[0] == 0xFE && (bytes[1] & 0xC0) == 0x80;
  const bool multicast = bytes[0] == 0xFF && ((bytes[1] & 0x0F) == 1 || (bytes[1] & 0x0F) == 2);
  return unicast || multicast;
}

std::uint32_t parse_zone(const std::string& zone) {
  std::uint32_t index = 0;
  const char* end = zone.data() + zone.size();
  const auto parsed = std::from_chars(zone.data(), end, index);
  if (parsed.ec == std::errc() && parsed.ptr == end) return index;
  return if_nametoindex(zone.c_str());
}

}  // namespace

SocketAddress SocketAddress::from(const sockaddr* address, socklen_t length) {
  SocketAddress out;
  if (address == nullptr || length < sizeof(sa_family_t)) return out;
  if (address->sa_family == AF_INET && length >= sizeof(sockaddr_in)) {
    sockaddr_in in{};
    std::memcpy(&in, address, sizeof in);
    out.family_ = AF_INET;
    out.port_ = ntohs(in.sin_port);
    std::memcpy(out.bytes_, &in.sin_addr, 4);
  } else if (address->sa_family == AF_INET6 && length >= sizeof(sockaddr_in6)) {
    sockaddr_in6 in6{};
    std::memcpy(&in6, address, sizeof in6);
    out.port_ = ntohs(in6.sin6_port);
    const auto* bytes = in6.sin6_addr.s6_addr;
    if (std::equal(std::begin(kMappedPrefix), std::end(kMappedPrefix), bytes)) {
      out.family_ = AF_INET;
      std::memcpy(out.bytes_, bytes + 12, 4);
    } else {
      out.family_ = AF_INET6;
      std::memcpy(out.bytes_, bytes, 16);
      if (has_scope(bytes)) out.scope_ = in6.sin6_scope_id;
    }
  }
  return out;
}

Result<SocketAddress> SocketAddress::parse(std::string_view text, std::uint16_t default_port) {
  const auto fail = [&](std::string_view why) {
    return make_error(Errc::usage, fmt::format("'{}' is not an address: {}", text, why));
  };
  std::string_view host = text;
  std::string_view port_text;
  bool has_port = false;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return fail("']' is missing");
    host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (!rest.empty()) {
      if (rest.front() != ':') return fail("only ':PORT' may follow ']'");
      has_port = true;
      port_text = rest.substr(1);
    }
    if (host.find(':') == std::string_view::npos) return fail("brackets are for IPv6 addresses");
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    const auto colon = text.find(':');
    host = text.substr(0, colon);
    port_text = text.substr(colon + 1);
    has_port = true;
  }

  SocketAddress out;
  out.port_ = default_port;
  if (has_port) {
    const char* end = port_text.data() + port_text.size();
    const auto parsed = std::from_chars(port_text.data(), end, out.port_);
    if (port_text.empty() || parsed.ec != std::errc() || parsed.ptr != end) {
      return fail("the port is a number from 0 to 65535");
    }
  } else if (default_port == 0) {
    return fail("it names no port");
  }

  if (host.empty()) {
    if (!has_port || text.front() == '[') return fail("it is empty");
    out.family_ = AF_INET6;  // every address, on a socket that takes both families
    return out;
  }
  std::string zone;
  if (const auto percent = host.find('%'); percent != std::string_view::npos) {
    zone = host.substr(percent + 1);
    if (zone.size() > 2 && zone.compare(0, 2, "25") == 0) zone.erase(0, 2);  // RFC 6874
    host = host.substr(0, percent);
    if (zone.empty()) return fail("the zone is empty");
  }
  const std::string name(host);
  if (name.size() != host.size() || name.find('\0') != std::string::npos) return fail("it holds a zero byte");
  if (inet_pton(AF_INET, name.c_str(), out.bytes_) == 1) {
    if (!zone.empty()) return fail("only IPv6 addresses have zones");
    out.family_ = AF_INET;
    return out;
  }
  sockaddr_in6 in6{};
  if (inet_pton(AF_INET6, name.c_str(), &in6.sin6_addr) != 1) {
    return fail("expected a numeric IPv4 or [IPv6] address");
  }
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(out.port_);
  if (!zone.empty()) {
    in6.sin6_scope_id = parse_zone(zone);
    if (in6.sin6_scope_id == 0) {
      return fail(fmt::format("there is no network interface '{}'", zone));
    }
  }
  return from(reinterpret_cast<const sockaddr*>(&in6), sizeof in6);
}

socklen_t SocketAddress::to(sockaddr_storage& out, int family) const {
  std::memset(&out, 0, sizeof out);
  if (family_ == AF_UNSPEC) return 0;
  if (family_ == AF_INET && family != AF_INET6) {
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_port = htons(port_);
    std::memcpy(&in.sin_addr, bytes_, 4);
    std::memcpy(&out, &in, sizeof in);
    return sizeof in;
  }
  sockaddr_in6 in6{};
  in6.sin6_family = AF_INET6;
  in6.sin6_port = htons(port_);
  if (family_ == AF_INET) {
    std::memcpy(in6.sin6_addr.s6_addr, kMappedPrefix, sizeof kMappedPrefix);
    std::memcpy(in6.sin6_addr.s6_addr + 12, bytes_, 4);
  } else {
    std::memcpy(in6.sin6_addr.s6_addr, bytes_, 16);
    in6.sin6_scope_id = scope_;
  }
  std::memcpy(&out, &in6, sizeof in6);
  return sizeof in6;
}

SocketAddress SocketAddress::with_port(std::uint16_t port) const {
  SocketAddress out = *this;
  out.port_ = port;
  return out;
}

bool SocketAddress::is_multicast() const {
  if (family_ == AF_INET) return (bytes_[0] & 0xF0) == 0xE0;
  return family_ == AF_INET6 && bytes_[0] == 0xFF;
}

bool SocketAddress::is_loopback() const {
  if (family_ == AF_INET) return bytes_[0] == 127;
  return family_ == AF_INET6 && bytes_[15] == 1 &&
         std::all_of(bytes_, bytes_ + 15, [](std::uint8_t byte) { return byte == 0; });
}

bool SocketAddress::is_any() const {
  return family_ != AF_UNSPEC &&
         std::all_of(std::begin(bytes_), std::end(bytes_), [](std::uint8_t byte) { return byte == 0; });
}

std::string SocketAddress::host() const {
  char buffer[INET6_ADDRSTRLEN] = {};
  if (family_ == AF_UNSPEC || inet_ntop(family_, bytes_, buffer, sizeof buffer) == nullptr) return {};
  std::string out = buffer;
  if (scope_ != 0) {
    char name[IF_NAMESIZE] = {};
    out += '%';
    out += if_indextoname(scope_, name) != nullptr ? std::string(name) : std::to_string(scope_);
  }
  return out;
}

std::string SocketAddress::text() const {
  if (family_ == AF_UNSPEC) return {};
  return family_ == AF_INET6 ? fmt::format("[{}]:{}", host(), port_) : fmt::format("{}:{}", host(), port_);
}

std::string SocketAddress::uri_host() const {
  std::string out = host();
  if (family_ != AF_INET6) return out;
  if (const auto percent = out.find('%'); percent != std::string::npos) out.insert(percent + 1, "25");
  return '[' + out + ']';
}

std::size_t SocketAddress::hash() const {
  // Peers are many and differ in few bytes; a multiply and shift spreads them over the whole word.
  std::uint64_t low = 0;
  std::uint64_t high = 0;
  std::memcpy(&low, bytes_, 8);
  std::memcpy(&high, bytes_ + 8, 8);
  std::uint64_t mixed = low * 0x9E3779B97F4A7C15ULL;
  mixed ^= mixed >> 29;
  mixed = (mixed ^ high) * 0xBF58476D1CE4E5B9ULL;
  mixed ^= mixed >> 32;
  mixed = (mixed ^ (static_cast<std::uint64_t>(scope_) << 16 | port_)) * 0x94D049BB133111EBULL;
  mixed ^= mixed >> 31;
  return static_cast<std::size_t>(mixed ^ static_cast<std::uint64_t>(family_));
}

std::string host_name() {
  char name[256] = {};
  return ::gethostname(name, sizeof name - 1) == 0 ? name : "";
}

}  // namespace aiot
