#include "daemon/gateway/payload.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>

#include "core/base/uri.h"
#include "daemon/gateway/identity.h"

namespace aiot::gateway {

AlivePayload parse_alive(std::string_view payload) {
  AlivePayload out;
  out.reset = payload.starts_with("reset");
  const auto colon = payload.rfind(':');
  if (colon == std::string_view::npos) return out;
  const auto uid = payload.substr(colon + 1);
  if (is_uid(uid)) out.uid = uid;
  return out;
}

std::optional<PostPayload> parse_post(std::string_view payload) {
  const auto colon = payload.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return PostPayload{payload.substr(0, colon), payload.substr(colon + 1)};
}

namespace {

Result<SocketAddress> parse_base(std::string_view text) {
  auto uri = parse_uri(text);
  if (!uri) return make_error(Errc::usage, fmt::format("base: {}", uri.error().message));
  if (uri->scheme != "coap" || !uri->path.empty() || !uri->query.empty())
    return make_error(Errc::usage, "base: only coap://HOST[:PORT] can be read from here");
  const bool v6 = uri->host.find(':') != std::string::npos;
  std::string host = uri->zone.empty() ? uri->host : uri->host + "%" + uri->zone;
  if (v6) host = "[" + host + "]";
  auto address = SocketAddress::parse(fmt::format("{}:{}", host, uri->port));
  if (!address || address->is_any() || address->is_multicast())
    return make_error(Errc::usage, "base: the host must be the address of one node");
  return *address;
}

Result<Duration> parse_lifetime(std::string_view text) {
  std::uint64_t seconds = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (error != std::errc() || end != text.data() + text.size() || seconds < 1 || seconds > 4294967295U)
    return make_error(Errc::usage, "lt: a lifetime is 1 to 4294967295 seconds");
  return Duration(std::chrono::seconds(seconds));
}

}  // namespace

Result<RegistrationQuery> parse_registration(const std::vector<std::string_view>& query) {
  RegistrationQuery out;
  for (const auto item : query) {
    const auto equals = item.find('=');
    const auto name = item.substr(0, equals);
    const auto value = equals == std::string_view::npos ? std::string_view() : item.substr(equals + 1);
    if (name == "ep" || name == "d" || name == "et") {
      if (!is_uid(value))
        return make_error(Errc::usage, fmt::format("{}: 1 to 64 printable characters", name));
      (name == "ep" ? out.endpoint : name == "d" ? out.sector : out.type) = value;
    } else if (name == "lt") {
      auto lifetime = parse_lifetime(value);
      if (!lifetime) return lifetime.error();
      out.lifetime = *lifetime;
    } else if (name == "base") {
      auto base = parse_base(value);
      if (!base) return base.error();
      out.base = *base;
    }
  }
  return out;
}

std::vector<Found> own_resources(const std::vector<Link>& links, std::size_t& skipped) {
  std::vector<Found> out;
  for (const auto& link : links) {
    std::string_view target = link.target;
    // A link with an anchor describes another context; one with a scheme is another host's.
    if (target.find("://") != std::string_view::npos || target.starts_with("//") || link.has("anchor")) {
      ++skipped;
      continue;
    }
    if (target.starts_with('/')) target.remove_prefix(1);
    if (target.empty() || target == ".well-known/core") continue;
    auto name = percent_decode(target);
    if (!name || !is_resource_name(*name) || out.size() >= kMaxNodeResources) {
      ++skipped;
      continue;
    }
    const bool known =
        std::any_of(out.begin(), out.end(), [&](const Found& found) { return found.name == *name; });
    if (!known) out.push_back({std::move(*name), link.has("obs")});
  }
  return out;
}

}  // namespace aiot::gateway
