#include "cli/doctor_uplink.h"

#include <fmt/format.h>

#include <utility>

#include "cli/broker_api.h"
#include "cli/context.h"
#include "cli/doctor_broker.h"
#include "cli/files.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "core/ws/ws_client.h"
#include "daemon/wire/gateway_v1.h"
#include "daemon/wire/key_file.h"

namespace aiot::cli {

namespace {

constexpr int kUnauthorized = 401, kForbidden = 403;

Result<std::string> token_of(const UplinkTarget& target, WallTime now) {
  if (!target.token_file.empty()) return read_secret(target.token_file);
  auto keys = wire::read_key_file(target.key_file);
  if (!keys) return keys.error();
  return wire::gateway_token(*keys, target.name, now);
}

class Probe final : public UplinkProbe {
 public:
  Probe(const std::string& name, const Report& report, UniqueFunction<void()> done)
      : name_(text::escape_controls(name)), report_(report), done_(std::move(done)) {}

  void begin(Context& context, const UplinkTarget& target) {
    auto token = token_of(target, context.loop().wall_now());
    if (!token) {
      return finish(Finding::failed("uplink", token.error(),
                                    "run aiot doctor as root; a missing token is made at the broker: aiot "
                                    "tokens create --gateway"));
    }
    auto api = BrokerApi::of(context);
    if (!api) return finish(Finding::failed("uplink", api.error(), "correct --broker or the configuration"));
    ws::ClientOptions options;
    options.path = "/gw";
    options.subprotocols = {std::string(wire::kGatewayV1)};
    options.headers = {{"authorization", "Bearer " + *token}};
    options.timeout = context.settings().timeout;
    ws::WsClient::Callbacks callbacks;
    callbacks.opened = [this](const std::string& subprotocol) { opened(subprotocol); };
    callbacks.received = [](std::string_view, bool) {};
    callbacks.closed = [this](const Error& why) { finish(refusal(why)); };
    callbacks.writable = [] {};
    client_ =
        ws::WsClient::connect(context.loop(), api->endpoint(), std::move(options), std::move(callbacks));
  }

 private:
  void opened(const std::string& subprotocol) {
    if (subprotocol == wire::kGatewayV1) {
      return finish(Finding::ok("uplink", fmt::format("the broker admits gateway {}", name_)));
    }
    finish(Finding::failed(
        "uplink",
        make_error(Errc::peer_failed, fmt::format("the broker does not speak {}", wire::kGatewayV1)),
        "this is pyaiot's broker, or an older one: replace it first (docs/migrating.md)"));
  }

  [[nodiscard]] Finding refusal(const Error& why) const {
    if (why.native == kUnauthorized || why.native == kForbidden) {
      return Finding::failed("uplink", why,
                             fmt::format("at the broker: a new token for gateway {0}, aiot tokens create "
                                         "--gateway {0}; here it is --token-file, or /etc/aiot/token",
                                         name_));
    }
    if (why.code == Errc::unauthorized || why.code == Errc::internal)
      return Finding::failed("uplink", why, tls_remedy(why));
    return Finding::failed("uplink", why,
                           "a proxy on the way has to pass WebSockets on (Upgrade), also at /gw");
  }

  void finish(const Finding& finding) {
    const auto client = std::move(client_);
    report_(finding);
    done_();
  }

  std::string name_;
  const Report& report_;
  UniqueFunction<void()> done_;
  std::unique_ptr<ws::WsClient> client_;
};

}  // namespace

std::unique_ptr<UplinkProbe> UplinkProbe::start(Context& context, const UplinkTarget& target,
                                                const Report& report, UniqueFunction<void()> done) {
  auto probe = std::make_unique<Probe>(target.name, report, std::move(done));
  probe->begin(context, target);
  return probe;
}

}  // namespace aiot::cli
