#include "core/base/uri.h"

#include <arpa/inet.h>
#include <fmt/core.h>
#include <netinet/in.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/base/text.h"

namespace aiot {

namespace {

constexpr std::size_t kMaxUriBytes = 8 * 1024;
/// Uri-Path and Uri-Query hold at most 255 bytes (RFC 7252 section 5.10.1).
constexpr std::size_t kMaxCoapOption = 255;
constexpr std::size_t kMaxHostBytes = 255;
constexpr std::size_t kMaxZoneBytes = 32;

struct Scheme {
  std::string_view name;
  std::uint16_t port;
  bool is_coap;
  bool has_topic;   ///< all after the host's slash is an MQTT topic
  bool needs_host;  ///< mqttsn:// alone searches for gateways
};

/// The last four name a broker (--broker); no client serves them.
constexpr Scheme kSchemes[] = {
    {"coap", 5683, true, false, true},     {"coaps", 5684, true, false, true},
    {"coap+tcp", 5683, true, false, true}, {"coaps+tcp", 5684, true, false, true},
    {"mqtt", 1883, false, true, true},     {"mqtts", 8883, false, true, true},
    {"mqttsn", 1885, false, true, false},  {"aiot", 8000, false, false, true},
    {"aiots", 443, false, false, true},    {"ws", 80, false, false, true},
    {"wss", 443, false, false, true},      {"http", 80, false, false, true},
    {"https", 443, false, false, true},
};

const Scheme* find_scheme(std::string_view name) {
  const auto* found = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                   [&](const Scheme& scheme) { return scheme.name == name; });
  return found == std::end(kSchemes) ? nullptr : found;
}

bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// RFC 3986 pchar, without '%'.
bool is_pchar(char c) {
  return is_alnum(c) || std::string_view("-._~!$&'()*+,;=:@").find(c) != std::string_view::npos;
}

/// Every error names what was given, unless that might hold a password.
Error bad_uri(std::string_view text, std::string_view why) {
  constexpr std::size_t kShown = 200;
  if (text.substr(0, text.find('/', text.find("://") + 3)).find('@') != std::string_view::npos) {
    return make_error(Errc::usage, fmt::format("that is not a usable URI: {}", why));
  }
  return make_error(Errc::usage, fmt::format("'{}{}' is not a usable URI: {}",
                                             text::escape_controls(text.substr(0, kShown)),
                                             text.size() > kShown ? "..." : "", why));
}

/// Characters that no URI holds raw. Bytes above 0x7F pass as an IRI's when they are UTF-8.
std::optional<std::string> forbidden_character(std::string_view part, std::size_t offset) {
  for (std::size_t i = 0; i < part.size(); ++i) {
    const char c = part[i];
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7F ||
        std::string_view("\"<>\\^`{|}").find(c) != std::string_view::npos) {
      return fmt::format("the character '{}' at offset {} must be percent-encoded",
                         text::escape_controls(std::string_view(&c, 1)), offset + i);
    }
  }
  if (!text::is_utf8(part)) return "it is not UTF-8; percent-encode other bytes";
  return std::nullopt;
}

/// "[v6]" with its zone, without the brackets, into `uri`; the reason when it is wrong.
std::optional<std::string> parse_literal(std::string_view literal, Uri& uri) {
  if (const auto percent = literal.find('%'); percent != std::string_view::npos) {
    auto zone = literal.substr(percent + 1);
    literal = literal.substr(0, percent);
    // "%25eth0" is RFC 6874's form and "%eth0" what people type; "%25" alone is interface 25.
    if (zone.size() > 2 && zone.substr(0, 2) == "25") zone.remove_prefix(2);
    if (zone.empty()) return "the zone after '%' is empty";
    const auto fits = [](char c) {
      return is_alnum(c) || std::string_view("-._~:@").find(c) != std::string_view::npos;
    };
    if (zone.size() > kMaxZoneBytes || !std::all_of(zone.begin(), zone.end(), fits)) {
      return fmt::format("'{}' is not the name of a network interface", text::escape_controls(zone));
    }
    uri.zone = zone;
  }
  in6_addr address{};
  if (inet_pton(AF_INET6, std::string(literal).c_str(), &address) != 1) {
    return fmt::format("'{}' is not an IPv6 address", text::escape_controls(literal));
  }
  char canonical[INET6_ADDRSTRLEN] = {};
  inet_ntop(AF_INET6, &address, canonical, sizeof canonical);
  uri.host = canonical;
  return std::nullopt;
}

std::optional<std::string> parse_name(std::string_view name, Uri& uri) {
  auto decoded = percent_decode(name);
  if (!decoded) return decoded.error().message;
  if (decoded->size() > kMaxHostBytes) return "the host is longer than 255 bytes";
  const auto fits = [](char c) {
    return is_alnum(c) || c == '-' || c == '.' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  };
  const auto bad = std::find_if_not(decoded->begin(), decoded->end(), fits);
  if (bad != decoded->end()) {
    return fmt::format("'{}' cannot stand in a host name", text::escape_controls(std::string_view(&*bad, 1)));
  }
  uri.host = text::lower(*decoded);
  return std::nullopt;
}

/// "host", "host:port", "[v6%zone]:port"; the reason when it is wrong.
std::optional<std::string> parse_authority(std::string_view authority, const Scheme& scheme, Uri& uri) {
  std::string_view port_text;
  if (!authority.empty() && authority.front() == '[') {
    const auto close = authority.find(']');
    if (close == std::string_view::npos) return "']' is missing after the IPv6 address";
    const auto rest = authority.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return "only ':PORT' may follow ']'";
    if (!rest.empty()) port_text = rest.substr(1);
    if (auto why = parse_literal(authority.substr(1, close - 1), uri)) return why;
  } else {
    const auto colon = authority.find(':');
    if (colon != std::string_view::npos && authority.find(':', colon + 1) != std::string_view::npos) {
      return "an IPv6 address stands in brackets, such as coap://[::1]/";
    }
    if (colon != std::string_view::npos) port_text = authority.substr(colon + 1);
    if (auto why = parse_name(authority.substr(0, colon), uri)) return why;
  }
  uri.port = scheme.port;
  if (!port_text.empty()) {
    const char* end = port_text.data() + port_text.size();
    const auto parsed = std::from_chars(port_text.data(), end, uri.port);
    if (parsed.ec != std::errc() || parsed.ptr != end || uri.port == 0) {
      return "the port must be a number from 1 to 65535";
    }
    uri.explicit_port = true;
  }
  if (uri.host.empty() && (scheme.needs_host || uri.explicit_port)) return "the host is missing";
  return std::nullopt;
}

/// Splits and decodes; the reason when something does not decode or fit.
std::optional<std::string> parse_items(std::string_view part, char separator, bool is_coap,
                                       std::vector<std::string>& out) {
  if (part.empty()) return std::nullopt;
  for (const auto item : text::split(part, separator)) {
    auto decoded = percent_decode(item);
    if (!decoded) return decoded.error().message;
    if (is_coap && decoded->size() > kMaxCoapOption) {
      return fmt::format("a part of its {} is longer than the 255 bytes CoAP can carry",
                         separator == '/' ? "path" : "query");
    }
    out.push_back(std::move(*decoded));
  }
  return std::nullopt;
}

std::optional<std::string> parse_topic(std::string_view topic, Uri& uri) {
  const auto control = std::find_if(topic.begin(), topic.end(),
                                    [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
  if (control != topic.end()) return "a topic holds no control characters";
  if (!text::is_utf8(topic)) return "a topic must be UTF-8";
  if (!topic.empty()) {
    for (const auto level : text::split(topic, '/')) uri.path.emplace_back(level);
  }
  return std::nullopt;
}

std::optional<std::string> parse_rest(std::string_view rest, std::size_t offset, const Scheme& scheme,
                                      Uri& uri) {
  if (rest.find('#') != std::string_view::npos) {
    return "a fragment ('#') has no meaning here; write %23 for the character";
  }
  if (auto why = forbidden_character(rest, offset)) return why;
  const auto question = rest.find('?');
  auto path = rest.substr(0, question);
  if (!path.empty()) path.remove_prefix(1);  // the slash after the host
  if (auto why = parse_items(path, '/', scheme.is_coap, uri.path)) return why;
  if (question == std::string_view::npos) return std::nullopt;
  return parse_items(rest.substr(question + 1), '&', scheme.is_coap, uri.query);
}

}  // namespace

std::string Uri::path_text() const {
  if (path.empty()) return "/";
  std::string out;
  for (const auto& segment : path) {
    out += '/';
    out += percent_encode(segment);
  }
  return out;
}

std::string Uri::authority() const {
  std::string out = scheme + "://";
  if (host.find(':') != std::string::npos) {
    out += '[' + host;
    if (!zone.empty()) out += "%25" + zone;
    out += ']';
  } else {
    out += host;
  }
  if (port != default_port(scheme)) out += ':' + std::to_string(port);
  return out;
}

std::uint16_t default_port(std::string_view scheme) {
  const auto* found = find_scheme(scheme);
  return found == nullptr ? std::uint16_t{0} : found->port;
}

Result<Uri> parse_uri(std::string_view text) {
  if (text.size() > kMaxUriBytes) return bad_uri(text, "it is longer than 8 KB");
  const auto colon = text.find("://");
  if (colon == std::string_view::npos) {
    return bad_uri(text, "expected SCHEME://HOST/PATH, such as coap://[::1]/temperature");
  }
  Uri uri;
  uri.scheme = text::lower(text.substr(0, colon));
  const std::size_t host_at = colon + 3;
  const auto* scheme = find_scheme(uri.scheme);
  const auto after_host = text.find_first_of(scheme != nullptr && scheme->has_topic ? "/" : "/?#", host_at);
  const auto authority = text.substr(
      host_at, after_host == std::string_view::npos ? std::string_view::npos : after_host - host_at);
  if (authority.find('@') != std::string_view::npos) {
    return make_error(Errc::usage,
                      "a URI must not hold a user or password; give them with --user and --password-file, "
                      "--token-file or AIOT_TOKEN");
  }
  if (scheme == nullptr) {
    std::vector<std::string_view> names;
    for (const auto& known : kSchemes) names.push_back(known.name);
    const auto near = text::nearest(uri.scheme, names);
    return bad_uri(
        text, fmt::format("the scheme '{}' is not known{}", text::escape_controls(uri.scheme),
                          near.empty() ? std::string("; aiot speaks coap, coap+tcp, mqtt, mqtts and aiot")
                                       : fmt::format("; did you mean '{}'?", near)));
  }
  if (auto why = parse_authority(authority, *scheme, uri)) return bad_uri(text, *why);
  const auto rest = after_host == std::string_view::npos ? std::string_view() : text.substr(after_host);
  if (!rest.empty() && rest.front() == '/') uri.tail = rest.substr(1);
  const auto why = scheme->has_topic ? parse_topic(uri.tail, uri)
                                     : parse_rest(rest, text.size() - rest.size(), *scheme, uri);
  if (why) return bad_uri(text, *why);
  uri.text = text;
  return uri;
}

std::string percent_encode(std::string_view segment) {
  static constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(segment.size());
  for (const char c : segment) {
    if (is_pchar(c)) {
      out += c;
    } else {
      out += '%';
      out += kHex[static_cast<unsigned char>(c) >> 4];
      out += kHex[static_cast<unsigned char>(c) & 0x0F];
    }
  }
  return out;
}

Result<std::string> percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '%') {
      out += text[i];
      continue;
    }
    const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
    const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
    if (high < 0 || low < 0) {
      return make_error(Errc::usage, fmt::format("'{}' is not percent-encoding: two hex digits follow '%'",
                                                 text::escape_controls(text.substr(i, 3))));
    }
    out += static_cast<char>(high << 4 | low);
    i += 2;
  }
  return out;
}

}  // namespace aiot
