#include <fmt/format.h>

#include "core/base/address.h"
#include "core/base/text.h"
#include "core/ws/ws_client.h"

namespace aiot::ws {
namespace {

struct Scheme {
  std::string_view name;
  bool tls;
  std::uint16_t port;
};
// aiot's default port is the broker's; the web's schemes keep the web's.
constexpr Scheme kSchemes[] = {{"ws", false, 80},    {"wss", true, 443},    {"http", false, 80},
                               {"https", true, 443}, {"aiot", false, 8000}, {"aiots", true, 443}};

Error usage(std::string_view url, std::string_view what) {
  return make_error(Errc::usage, fmt::format("\"{}\": {}", text::escape_controls(url.substr(0, 200)), what));
}

bool parse_port(std::string_view digits, std::uint16_t& port) {
  if (digits.empty() || digits.size() > 5) return false;
  unsigned number = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9') return false;
    number = number * 10 + static_cast<unsigned>(c - '0');
  }
  if (number == 0 || number > 65535) return false;
  port = static_cast<std::uint16_t>(number);
  return true;
}

bool is_host(std::string_view host) {
  if (host.empty() || host.size() > 253) return false;
  for (const char c : host) {
    const bool good = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                      c == '.' || c == '-' || c == '_';
    if (!good) return false;
  }
  return true;
}

/// An IPv6 address without brackets; a zone may be written "%lo" or "%25lo" (RFC 6874).
Result<std::string> parse_ipv6(std::string_view url, std::string_view inside) {
  std::string host(inside);
  if (const auto zone = host.find("%25"); zone != std::string::npos && zone + 3 < host.size())
    host.erase(zone + 1, 2);
  const auto percent = host.find('%');
  const auto bare = host.substr(0, percent);
  const auto address = SocketAddress::parse("[" + bare + "]", 1);
  if (bare.find(':') == std::string::npos || !address)
    return usage(url, "not an IPv6 address between [ and ]");
  return host;
}

}  // namespace

Result<Endpoint> parse_endpoint(std::string_view url) {
  const auto colon = url.find("://");
  if (colon == std::string_view::npos)
    return usage(url, "a broker's address starts with ws://, wss:// or aiot://");
  const auto name = text::lower(url.substr(0, colon));
  const Scheme* scheme = nullptr;
  for (const auto& known : kSchemes) {
    if (known.name == name) scheme = &known;
  }
  if (scheme == nullptr) return usage(url, "the scheme is none of ws, wss, http, https, aiot and aiots");
  Endpoint endpoint;
  endpoint.tls = scheme->tls;
  endpoint.port = scheme->port;

  auto rest = url.substr(colon + 3);
  const auto slash = rest.find('/');
  auto authority = rest.substr(0, slash);
  if (slash != std::string_view::npos) endpoint.path = rest.substr(slash);
  if (authority.find('@') != std::string_view::npos) {
    return make_error(Errc::usage,
                      "no user or password in a broker's address: secrets come from --token-file");
  }
  if (rest.find_first_of("?#") != std::string_view::npos) return usage(url, "no query and no fragment here");
  for (const char c : endpoint.path) {
    if (static_cast<unsigned char>(c) <= 0x20 || static_cast<unsigned char>(c) >= 0x7f) {
      return usage(url, "the path has a character that must be percent-encoded");
    }
  }
  while (!endpoint.path.empty() && endpoint.path.back() == '/') endpoint.path.pop_back();

  std::string_view port;
  bool has_port = false;
  if (!authority.empty() && authority.front() == '[') {
    const auto bracket = authority.find(']');
    if (bracket == std::string_view::npos) return usage(url, "no ] after the IPv6 address");
    auto host = parse_ipv6(url, authority.substr(1, bracket - 1));
    if (!host) return host.error();
    endpoint.host = std::move(*host);
    authority.remove_prefix(bracket + 1);
    if (!authority.empty() && authority.front() != ':') return usage(url, "only a port may follow the ]");
    has_port = !authority.empty();
    if (has_port) port = authority.substr(1);
  } else {
    const auto mark = authority.find(':');
    has_port = mark != std::string_view::npos;
    if (has_port) port = authority.substr(mark + 1);
    const auto host = authority.substr(0, mark);
    if (host.empty()) return usage(url, "no host");
    if (!is_host(host)) return usage(url, "the host has a character that it may not have");
    endpoint.host = text::lower(host);
  }
  if (has_port && !parse_port(port, endpoint.port))
    return usage(url, "the port is not a number from 1 to 65535");
  return endpoint;
}

}  // namespace aiot::ws
