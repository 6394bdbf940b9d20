#include "daemon/broker/reception.h"

#include <numeric>
#include <utility>

#include "core/loop/event_loop.h"
#include "daemon/broker/access.h"
#include "daemon/broker/admission.h"
#include "daemon/broker/broker.h"
#include "daemon/broker/client_session.h"
#include "daemon/broker/follower_session.h"
#include "daemon/broker/gateway_session.h"
#include "daemon/broker/paced_session.h"

namespace aiot::broker {

Reception::Reception(ReceptionServices services) : services_(services), own_name_(host_name()) {}

// Where those without credentials may nothing, a page under a stranger's name can do nothing either: a
// browser sends credentials only to the name that it got them from.
bool Reception::may_come_from(std::string_view origin, std::string_view host) const {
  return origin_allowed(origin, host, own_name_, services_.options.allow_origins,
                        services_.access.anonymous() == Role::none);
}

bool Reception::may_be_called(std::string_view host) const {
  const Access& access = services_.access;
  return access.is_exposed() || access.anonymous() == Role::none ||
         host_allowed(host, own_name_, services_.options.allow_origins);
}

ws::UpgradeDecision Reception::decide(const ws::UpgradeRequest& request) {
  if (request.path == "/gw") return pace(admit_gateway(request), true);
  if (request.path == "/ws") return pace(admit_client(request), false);
  return {nullptr, {}, 404, "there is no WebSocket here"};
}

ws::UpgradeDecision Reception::decide_legacy(const ws::UpgradeRequest& request) {
  if (offers(request, wire::client_v1::kName) || offers(request, wire::kGatewayV1))
    return {nullptr, {}, 404, "only pyaiot's wire is spoken here"};
  return decide(request);
}

ws::UpgradeDecision Reception::admit_client(const ws::UpgradeRequest& request) {
  if (!may_come_from(request.origin, request.header("host"))) {
    log::warn("a page of {} was refused; --allow-origin would let it in", request.origin);
    return {nullptr, {}, 403, "pages of this origin may not use this broker"};
  }
  auto& on = services_;
  auto principal = on.access.identify(request.headers, request.secure, on.loop.now(), on.loop.wall_now());
  if (!principal) return refuse(request, 401, principal.error().message);
  if (!principal->may_read()) {
    return principal->kind == Principal::Kind::anonymous
               ? refuse(request, 401, "log in, or send a token")
               : refuse(request, 403, "a gateway's token is only for /gw");
  }
  if (offers(request, wire::client_v1::kName)) {
    const FollowerServices services{on.loop, on.followers, on.rest, on.counters,
                                    on.options.client_outbox_bytes};
    auto session =
        std::make_unique<FollowerSession>(services, *principal, std::string(request.header("host")));
    return {guards_.guard(std::move(session), *principal), std::string(wire::client_v1::kName), 0, {}};
  }
  // What pyaiot's wire says is the same for everybody.
  if (!principal->scope.whole())
    return refuse(request, 403, "a token for some nodes only needs the subprotocol aiot.client.v1");
  return {
      guards_.guard(std::make_unique<ClientSession>(on.clients, on.asks, *principal), *principal), {}, 0, {}};
}

ws::UpgradeDecision Reception::admit_gateway(const ws::UpgradeRequest& request) {
  auto& on = services_;
  auto admission = on.access.admit(request, on.loop.wall_now());
  if (!admission) return refuse(request, 401, admission.error().message);
  const GatewayServices services{on.loop, on.routing, on.asks, *on.store, on.records, on.counters};
  std::unique_ptr<ws::WsSession> session;
  if (admission->native) {
    session = std::make_unique<NativeGatewaySession>(services, admission->principal);
  } else {
    session = std::make_unique<PyaiotGatewaySession>(services, admission->principal);
  }
  return {guards_.guard(std::move(session), std::move(admission->principal)), admission->subprotocol, 0, {}};
}

ws::UpgradeDecision Reception::refuse(const ws::UpgradeRequest& request, int status, std::string why) {
  ++services_.counters.refused_access;
  if (refusals_.allow()) log::warn("{} at {} was refused: {}", request.path, request.peer.text(), why);
  return {nullptr, {}, status, std::move(why)};
}

ws::UpgradeDecision Reception::pace(ws::UpgradeDecision decision, bool is_gateway) {
  const auto& rate = is_gateway ? services_.options.gateway_rate : services_.options.client_rate;
  if (!decision.session || !rate.limited()) return decision;
  auto& counters = services_.counters;
  UniqueFunction<std::uint64_t()> meter;
  if (is_gateway) {
    meter = [&counters] {
      return std::accumulate(counters.received.begin(), counters.received.end(), std::uint64_t{0});
    };
  }
  auto& pauses = is_gateway ? counters.paced_gateways : counters.paced_clients;
  decision.session = std::make_unique<PacedSession>(services_.loop, std::move(decision.session), rate,
                                                    std::move(meter), pauses);
  return decision;
}

}  // namespace aiot::broker
