#include "daemon/broker/broker.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "core/ws/http_server.h"
#include "daemon/broker/admission.h"
#include "daemon/broker/asks.h"
#include "daemon/broker/client_session.h"
#include "daemon/broker/clients.h"
#include "daemon/broker/follower_session.h"
#include "daemon/broker/followers.h"
#include "daemon/broker/gateway_session.h"
#include "daemon/broker/idempotency.h"
#include "daemon/broker/keys.h"
#include "daemon/broker/metrics.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest.h"
#include "daemon/broker/routing.h"
#include "daemon/broker/static_files.h"
#include "daemon/broker/store.h"

namespace aiot::broker {
namespace {

/// A batch may hold values of the largest size, escaped.
constexpr std::size_t kMaxMessage = 4 * 1024 * 1024;
/// Above the largest value in base 64 or escaped to the full.
constexpr std::size_t kMaxBody = 512 * 1024;

/// Passes what happens to clients, and to writes that wait for their echo.
class Announcements final : public Hub {
 public:
  Announcements(Clients& clients, Followers& followers, Asks& asks)
      : clients_(clients), followers_(followers), asks_(asks) {}
  void joined(const Node& node) override {
    clients_.joined(node);
    followers_.joined(node);
  }
  void updated(const Node& node, const Resource& resource) override {
    clients_.updated(node, resource);
    followers_.updated(node, resource);
    asks_.heard(node, resource);
  }
  void addressed(const Node& node) override {
    clients_.addressed(node);
    followers_.addressed(node);
  }
  void protocol_told(const Node& node) override {
    clients_.protocol_told(node);
    followers_.protocol_told(node);
  }
  void restarted(const Node& node) override {
    clients_.restarted(node);
    followers_.restarted(node);
  }
  void gone(const Node& node) override {
    clients_.gone(node);
    followers_.gone(node);
  }
  void given_up(const Node& node) override { followers_.given_up(node); }
  void handed_over(const Node& node) override { followers_.handed_over(node); }
  void forgotten(const Node& node) override { followers_.forgotten(node); }
  void gateway_up(const GatewayRecord& gateway) override { followers_.gateway_up(gateway); }
  void gateway_down(const GatewayRecord& gateway) override { followers_.gateway_down(gateway); }

 private:
  Clients& clients_;
  Followers& followers_;
  Asks& asks_;
};

/// Events are log lines until there is a place for them.
class LoggedEvents final : public EventSink {
 public:
  void event(const Event& event) override {
    if (limiter_.allow()) log::warn("{}: {}", event.type, event.message);
  }

 private:
  log::Limiter limiter_{50};
};

class BrokerImpl final : public Broker {
 public:
  BrokerImpl(EventLoop& loop, Options options)
      : loop_(loop),
        options_(std::move(options)),
        clients_(loop, table_, counters_, {options_.client_outbox_bytes}),
        followers_(loop, table_, counters_),
        asks_(loop, table_, counters_, durations_),
        announcements_(clients_, followers_, asks_),
        routing_(table_, announcements_, events_, counters_),
        store_(make_memory_store(loop)),
        rest_({loop, table_, routing_, asks_, idempotency_, alive_}) {}

  Result<void> start() override {
    auto keys = open_keys(options_.key_file, options_.listen);
    if (!keys) return keys.error();
    keys_ = std::move(*keys);
    ws::HttpServerOptions options;
    options.listen = options_.listen;
    options.max_body = kMaxBody;
    options.max_message = kMaxMessage;
    auto server = ws::HttpServer::listen(
        loop_, options,
        [this](ws::HttpRequest request, ws::HttpResponder responder) {
          answer(std::move(request), std::move(responder));
        },
        [this](const ws::UpgradeRequest& request) { return decide(request); },
        [](std::string_view path, int status, std::string why) {
          return is_api(path) ? problem(status, Errc::usage, std::move(why)) : plain(status, why + "\n");
        });
    if (!server) return server.error();
    server_ = std::move(*server);
    return {};
  }

  [[nodiscard]] SocketAddress bound() const override { return server_ ? server_->bound() : SocketAddress(); }

  void stop(Duration deadline, Completion<> done) override {
    stopping_ = true;
    if (server_) return server_->shut_down(deadline, std::move(done));
    loop_.post([done = std::move(done)]() mutable { done({}); });
  }

  void reload() override {
    auto keys = wire::read_key_file(options_.key_file);
    if (!keys) return log::error("the keys stay as they were: {}", keys.error().message);
    keys_ = std::move(*keys);
    log::info("read the keys in {} again", options_.key_file);
  }

 private:
  ws::UpgradeDecision decide(const ws::UpgradeRequest& request) {
    if (request.path == "/gw") return decide_gateway(request);
    if (request.path != "/ws") return {nullptr, {}, 404, "there is no WebSocket here"};
    if (!origin_allowed(request.origin, request.header("host"), own_name_, options_.allow_origins)) {
      log::warn("a page of {} was refused; --allow-origin would let it in", request.origin);
      return {nullptr, {}, 403, "pages of this origin may not use this broker"};
    }
    if (offers(request, wire::client_v1::kName)) {
      const FollowerServices services{loop_, followers_, rest_, counters_, options_.client_outbox_bytes};
      return {std::make_unique<FollowerSession>(services, Principal{}, std::string(request.header("host"))),
              std::string(wire::client_v1::kName),
              0,
              {}};
    }
    return {std::make_unique<ClientSession>(clients_, asks_, Principal{}), {}, 0, {}};
  }

  ws::UpgradeDecision decide_gateway(const ws::UpgradeRequest& request) {
    auto admission = admit_gateway(request, keys_);
    if (!admission) {
      if (refusals_.allow()) {
        log::warn("a gateway at {} was refused: {}", request.peer.text(), admission.error().message);
      }
      return {nullptr, {}, 401, admission.error().message};
    }
    const GatewayServices services{loop_, routing_, asks_, *store_, events_, counters_};
    ws::UpgradeDecision decision;
    decision.subprotocol = admission->subprotocol;
    if (admission->native) {
      decision.session = std::make_unique<NativeGatewaySession>(services, std::move(admission->principal));
    } else {
      decision.session = std::make_unique<PyaiotGatewaySession>(services, std::move(admission->principal));
    }
    return decision;
  }

  void answer(ws::HttpRequest request, ws::HttpResponder responder) {
    const std::string_view path = request.path;
    if (is_api(path)) {
      // A page elsewhere can send simple requests without asking first; it may not change anything by them.
      const bool reads = request.method == "GET" || request.method == "HEAD";
      if (!reads && !origin_allowed(request.header("origin"), request.header("host"), own_name_,
                                    options_.allow_origins)) {
        return responder.reply(
            problem(403, Errc::unauthorized, "pages of this origin may not use this broker"));
      }
      return rest_.handle(std::move(request), std::move(responder), Principal{});
    }
    const bool ours =
        path == "/healthz" || path == "/readyz" || path == "/metrics" || path == "/ws" || path == "/gw";
    if (ours && request.method != "GET") return responder.reply(only_get());
    if (path == "/healthz") return responder.reply(plain(200, "ok\n"));
    if (path == "/readyz") {
      return responder.reply(stopping_ ? plain(503, "stopping\n") : plain(200, "ready\n"));
    }
    if (path == "/metrics") return responder.reply(metrics());
    if (path == "/ws" || path == "/gw") {
      ws::HttpResponse response = plain(426, "this is a WebSocket\n");
      response.headers.emplace_back("upgrade", "websocket");
      return responder.reply(std::move(response));
    }
    responder.reply(serve_file(request, options_.dashboard ? dashboard_assets() : std::span<const Asset>()));
  }

  static bool is_api(std::string_view path) { return path.substr(0, kApiPrefix.size()) == kApiPrefix; }

  static ws::HttpResponse plain(int status, std::string_view body) {
    ws::HttpResponse response;
    response.status = status;
    response.body = body;
    response.headers.emplace_back("cache-control", "no-store");
    return response;
  }

  ws::HttpResponse metrics() {
    clients_.count_delivered();
    followers_.count_delivered();
    std::size_t gateway_bytes = 0;
    for (const auto& [name, gateway] : table_.gateways()) {
      if (gateway->link != nullptr) gateway_bytes += gateway->link->queued_bytes();
    }
    const auto sockets = server_->counters();
    ws::HttpResponse response = plain(
        200,
        format_metrics({counters_, durations_, table_, clients_.size() + followers_.clients(),
                        clients_.queued_bytes() + followers_.queued_bytes(), gateway_bytes, asks_.pending(),
                        sockets.connections, sockets.refused_heads + sockets.refused_full}));
    response.content_type = "text/plain; version=0.0.4; charset=utf-8";
    return response;
  }

  EventLoop& loop_;
  Options options_;
  std::string own_name_ = host_name();
  wire::Keys keys_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  NodeTable table_;
  Counters counters_;
  Histogram durations_;
  Idempotency idempotency_;
  LoggedEvents events_;
  log::Limiter refusals_;
  Clients clients_;
  Followers followers_;
  Asks asks_;
  Announcements announcements_;
  Routing routing_;
  std::unique_ptr<Store> store_;
  Rest rest_;
  bool stopping_ = false;
  std::unique_ptr<ws::HttpServer> server_;  ///< last: its sessions use all of the above
};

}  // namespace

std::unique_ptr<Broker> Broker::make(EventLoop& loop, Options options) {
  return std::make_unique<BrokerImpl>(loop, std::move(options));
}

}  // namespace aiot::broker
