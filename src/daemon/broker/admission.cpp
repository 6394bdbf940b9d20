#include "daemon/broker/admission.h"

#include <algorithm>

#include "core/base/address.h"
#include "core/base/text.h"
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

Result<GatewayAdmission> admit_native(const ws::UpgradeRequest& request, const wire::Keys& keys) {
  const std::string_view authorization = request.header("authorization");
  if (text::lower(authorization.substr(0, kBearer.size())) != kBearer) {
    return make_error(Errc::unauthorized, "aiot.gateway.v1 needs Authorization: Bearer TOKEN");
  }
  auto name = wire::check_token(keys, text::trim(authorization.substr(kBearer.size())));
  if (!name) return std::move(name).error();
  if (name->empty()) {
    return make_error(Errc::unauthorized,
                      "the token is bound to no gateway; aiot keys token --gateway NAME makes one");
  }
  GatewayAdmission admission;
  admission.native = true;
  admission.principal.name = std::move(*name);
  admission.subprotocol = wire::kGatewayV1;
  return admission;
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
                    const std::vector<std::string>& allowed) {
  if (origin.empty()) return true;
  const std::string asked = text::lower(origin);
  const std::string authority = text::lower(host);
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (asked == std::string(scheme) + authority && is_own_authority(authority, own_name)) return true;
  }
  return std::any_of(allowed.begin(), allowed.end(), [&](std::string entry) {
    while (!entry.empty() && entry.back() == '/') entry.pop_back();
    return entry == "*" || text::lower(entry) == asked;
  });
}

bool offers(const ws::UpgradeRequest& request, std::string_view subprotocol) {
  const auto items = offered(request);
  return std::find(items.begin(), items.end(), subprotocol) != items.end();
}

Result<GatewayAdmission> admit_gateway(const ws::UpgradeRequest& request, const wire::Keys& keys) {
  const auto items = offered(request);
  if (std::find(items.begin(), items.end(), wire::kGatewayV1) != items.end())
    return admit_native(request, keys);
  const auto word = std::find(items.begin(), items.end(), kPyaiotWord);
  if (word == items.end() || word + 1 == items.end()) {
    return make_error(Errc::unauthorized,
                      "a gateway offers aiot.gateway.v1, or token and its token, as subprotocols");
  }
  auto name = wire::check_token(keys, *(word + 1));
  if (!name) return std::move(name).error();
  GatewayAdmission admission;
  admission.principal.name = std::move(*name);
  admission.subprotocol = kPyaiotWord;
  return admission;
}

}  // namespace aiot::broker
