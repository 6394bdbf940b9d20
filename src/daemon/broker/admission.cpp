#include "daemon/broker/admission.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/address.h"
#include "core/base/text.h"
#include "daemon/access/token.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kPyaiotWord = "token";
constexpr std::string_view kBearer = "bearer ";

/// The items of Sec-WebSocket-Protocol, whether they came as one text or apart.
std::vector<std::string_view> offered(const ws::UpgradeRequest& request) {
  std::vector<std::string_view> items;
  for (const std::string& entry : request.subprotocols) {
    for (const std::string_view item : text::split(entry, ',')) {
      if (const auto trimmed = text::trim(item); !trimmed.empty()) items.push_back(trimmed);
    }
  }
  return items;
}

/// The gateway that a token made with the keys names.
Result<Principal> admit_token(const GatewayRules& rules, std::string_view token) {
  auto claim = wire::check_token(rules.keys, token);
  if (!claim) return std::move(claim).error();
  const wire::Keys& keys = rules.keys;
  Principal out;
  out.kind = Principal::Kind::gateway;
  out.name = std::move(claim->gateway);
  out.id = claim->previous ? kPreviousKeys : kCurrentKeys;
  out.proof = claim->previous ? fingerprint(keys.previous_secret, keys.previous_private_key)
                              : fingerprint(keys.secret, keys.private_key);
  out.issued = claim->issued;
  if (out.name.empty() && !rules.shared) {
    return make_error(Errc::unauthorized,
                      "pyaiot's token, which all its gateways share, is not accepted here");
  }
  if (!out.name.empty() && rules.contents != nullptr && is_revoked(*rules.contents, out.name, *out.issued)) {
    return make_error(Errc::unauthorized, fmt::format("the token of gateway {} was revoked", out.name));
  }
  return out;
}

Result<GatewayAdmission> admit_native(const ws::UpgradeRequest& request, const GatewayRules& rules) {
  const std::string_view authorization = request.header("authorization");
  if (text::lower(authorization.substr(0, kBearer.size())) != kBearer) {
    return make_error(Errc::unauthorized, "aiot.gateway.v1 needs Authorization: Bearer TOKEN");
  }
  auto principal = admit_token(rules, text::trim(authorization.substr(kBearer.size())));
  if (!principal) return std::move(principal).error();
  if (principal->name.empty()) {
    return make_error(Errc::unauthorized,
                      "the token is bound to no gateway; aiot keys token --gateway NAME makes one");
  }
  return GatewayAdmission{true, std::move(*principal), std::string(wire::kGatewayV1)};
}

/// True for an authority (lower case) that leads to this machine whoever answers for names.
bool is_own_authority(std::string_view authority, std::string_view own_name) {
  constexpr std::string_view localhost = "localhost";
  const std::string_view name = authority.substr(0, authority.find(':'));
  if (name.empty()) return false;
  if (SocketAddress::parse(authority, 80) || name == localhost) return true;
  if (name.size() > localhost.size() && name.substr(name.size() - localhost.size() - 1) == ".localhost")
    return true;
  return name == text::lower(own_name);
}

}  // namespace

bool origin_allowed(std::string_view origin, std::string_view host, std::string_view own_name,
                    const std::vector<std::string>& allowed, bool any_name) {
  if (origin.empty()) return true;
  const std::string asked = text::lower(origin);
  const std::string authority = text::lower(host);
  for (const std::string_view scheme : {"http://", "https://"}) {
    const bool same = !authority.empty() && asked == std::string(scheme) + authority;
    if (same && (any_name || is_own_authority(authority, own_name))) return true;
  }
  return std::any_of(allowed.begin(), allowed.end(), [&](std::string entry) {
    while (!entry.empty() && entry.back() == '/') entry.pop_back();
    return entry == "*" || text::lower(entry) == asked;
  });
}

bool host_allowed(std::string_view host, std::string_view own_name, const std::vector<std::string>& allowed) {
  const std::string asked = text::lower(host);
  // Nobody owns a name without a dot on the internet, so that no stranger's page has one.
  const bool plain =
      !asked.starts_with('[') && asked.substr(0, asked.find(':')).find('.') == std::string::npos;
  if (plain || is_own_authority(asked, own_name)) return true;
  return std::any_of(allowed.begin(), allowed.end(), [&](std::string_view entry) {
    const auto scheme = entry.find("://");
    while (!entry.empty() && entry.back() == '/') entry.remove_suffix(1);
    return entry == "*" ||
           (scheme != std::string_view::npos && text::lower(entry.substr(scheme + 3)) == asked);
  });
}

bool offers(const ws::UpgradeRequest& request, std::string_view subprotocol) {
  const auto items = offered(request);
  return std::find(items.begin(), items.end(), subprotocol) != items.end();
}

Result<GatewayAdmission> admit_gateway(const ws::UpgradeRequest& request, const GatewayRules& rules) {
  const auto items = offered(request);
  if (std::find(items.begin(), items.end(), wire::kGatewayV1) != items.end())
    return admit_native(request, rules);
  const auto word = std::find(items.begin(), items.end(), kPyaiotWord);
  if (word == items.end() || word + 1 == items.end()) {
    return make_error(Errc::unauthorized,
                      "a gateway offers aiot.gateway.v1, or token and its token, as subprotocols");
  }
  auto principal = admit_token(rules, *(word + 1));
  if (!principal) return std::move(principal).error();
  return GatewayAdmission{false, std::move(*principal), std::string(kPyaiotWord)};
}

std::string fingerprint(std::string_view secret, std::string_view private_key) {
  return access::digest(fmt::format("{}\n{}", secret, private_key));
}

bool is_revoked(const access::Contents& contents, std::string_view gateway, WallTime issued) {
  return std::any_of(contents.revoked.begin(), contents.revoked.end(), [&](const access::Revocation& at) {
    return at.gateway == gateway && issued <= at.until;
  });
}

}  // namespace aiot::broker
