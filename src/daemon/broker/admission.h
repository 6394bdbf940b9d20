#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/model/principal.h"
#include "core/ws/http_server.h"
#include "daemon/access/access_file.h"
#include "daemon/wire/key_file.h"

/// Who may open which session. Pure.
namespace aiot::broker {

/// Principal::id of gateways by the key file.
inline constexpr std::string_view kCurrentKeys = "current keys", kPreviousKeys = "previous keys";

/// True when a browser page of `origin` may use this broker: no origin (not a browser), one of `allowed` ("*"
/// allows every one), or the broker's own: the request's Host, when that is an IP address, localhost or
/// `own_name`. Any other name may be one that a stranger made to lead here (DNS rebinding): it is trusted
/// where `any_name` says that pages need credentials, which a browser keeps by name.
[[nodiscard]] bool origin_allowed(std::string_view origin, std::string_view host, std::string_view own_name,
                                  const std::vector<std::string>& allowed, bool any_name = false);

/// True when a request may call a broker that only this machine reaches `host`: a name that no stranger can
/// have made to lead here, or one of `allowed`. A browser tells no Origin when a page reads from where it
/// came from, so that the name is all there is against DNS rebinding.
[[nodiscard]] bool host_allowed(std::string_view host, std::string_view own_name,
                                const std::vector<std::string>& allowed);

/// True when the request offers that subprotocol.
[[nodiscard]] bool offers(const ws::UpgradeRequest& request, std::string_view subprotocol);

/// A gateway at /gw.
struct GatewayAdmission {
  bool native = false;
  Principal principal;      ///< its name is the one its token is bound to; empty with pyaiot's token
  std::string subprotocol;  ///< to name in the answer
};
/// What admits gateways.
struct GatewayRules {
  const wire::Keys& keys;
  bool shared = true;  ///< pyaiot's token, bound to nobody, is good
  const access::Contents* contents = nullptr;
  WallTime now{};
};
/// By `aiot.gateway.v1` with `Authorization: Bearer TOKEN`, or by pyaiot's `token, TOKEN`; tokens made with
/// the key file. Errc::unauthorized says what is missing or wrong.
[[nodiscard]] Result<GatewayAdmission> admit_gateway(const ws::UpgradeRequest& request,
                                                     const GatewayRules& rules);

/// What a gateway that proved itself with this pair keeps as its proof.
[[nodiscard]] std::string fingerprint(std::string_view secret, std::string_view private_key);
/// A token made for the gateway at `issued` is revoked.
[[nodiscard]] bool is_revoked(const access::Contents& contents, std::string_view gateway, WallTime issued);

}  // namespace aiot::broker
