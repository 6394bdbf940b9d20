#include "core/ws/forwarded.h"

#include <algorithm>

#include "core/base/text.h"
#include "core/ws/http_head.h"

namespace aiot::ws {
namespace {

/// One proxy's word: whom it served, and how. Empty members are not said.
struct Hop {
  std::string_view client, protocol, host;
};

std::string_view unquoted(std::string_view value) {
  value = text::trim(value);
  if (value.size() >= 2 && value.front() == '"' && value.back() == '"')
    value = value.substr(1, value.size() - 2);
  return value;
}

/// A list whose elements may be quoted: separators inside quotes are not separators.
std::vector<std::string_view> split_quoted(std::string_view list, char separator) {
  std::vector<std::string_view> parts;
  bool quoted = false;
  std::size_t begin = 0;
  for (std::size_t i = 0; i <= list.size(); ++i) {
    if (i < list.size() && list[i] == '"') quoted = !quoted;
    if (i < list.size() && (quoted || list[i] != separator)) continue;
    parts.push_back(text::trim(list.substr(begin, i - begin)));
    begin = i + 1;
  }
  return parts;
}

std::vector<Hop> parse_forwarded(std::string_view field) {
  std::vector<Hop> hops;
  for (const auto element : split_quoted(field, ',')) {
    Hop hop;
    for (const auto pair : split_quoted(element, ';')) {
      const auto equals = pair.find('=');
      if (equals == std::string_view::npos) continue;
      const auto name = text::lower(text::trim(pair.substr(0, equals)));
      const auto value = unquoted(pair.substr(equals + 1));
      if (name == "for") hop.client = value;
      if (name == "proto") hop.protocol = value;
      if (name == "host") hop.host = value;
    }
    hops.push_back(hop);
  }
  return hops;
}

/// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1" or "[2001:db8::1]:4711"; nothing for "unknown" and "_hidden".
SocketAddress parse_client(std::string_view text) {
  const bool bare_ipv6 =
      !text.empty() && text.front() != '[' && std::count(text.begin(), text.end(), ':') > 1;
  constexpr std::uint16_t kAnyPort = 1;  // the port is nobody's matter
  const auto address = bare_ipv6 ? SocketAddress::parse("[" + std::string(text) + "]", kAnyPort)
                                 : SocketAddress::parse(text, kAnyPort);
  return address && !text.empty() && text.front() != ':' ? *address : SocketAddress();
}

/// The X-Forwarded-* fields in the same form. Protocol and host are the nearest proxy's: it sets them, and
/// does not append to what a client may have sent.
std::vector<Hop> parse_x_forwarded(const std::string& clients, const std::string& protocols,
                                   const std::string& hosts) {
  const auto last = [](std::string_view list) { return text::trim(list.substr(list.rfind(',') + 1)); };
  std::vector<Hop> hops;
  for (const auto client : text::split(clients, ','))
    hops.push_back({unquoted(client), last(protocols), last(hosts)});
  return hops;
}

}  // namespace

void apply_forwarded(const Networks& trusted, Headers& headers, SocketAddress& peer, bool& secure) {
  if (trusted.empty() || !trusted.contains(peer)) return;
  const auto standard = join_header(headers, "forwarded");
  const auto clients = join_header(headers, "x-forwarded-for");
  const auto protocols = join_header(headers, "x-forwarded-proto");
  const auto hosts = join_header(headers, "x-forwarded-host");
  // Proxies that set X-Forwarded-*, as most do, pass on whatever Forwarded a client has made up.
  const bool usual = !clients.empty() || !protocols.empty() || !hosts.empty();
  const auto hops = usual ? parse_x_forwarded(clients, protocols, hosts) : parse_forwarded(standard);
  Hop said;
  // Each hop was appended by the one after it: from the nearest on, as far as each is trusted.
  for (auto hop = hops.rbegin(); hop != hops.rend() && trusted.contains(peer); ++hop) {
    said = *hop;
    const auto client = parse_client(hop->client);
    if (client.empty()) break;
    peer = client;
  }
  if (!said.protocol.empty()) secure = text::lower(said.protocol) == "https";
  if (said.host.empty()) return;
  const std::string host(said.host);  // it may be a view into the headers' own text
  for (auto& [name, value] : headers) {
    if (name == "host") value = host;
  }
}

}  // namespace aiot::ws
