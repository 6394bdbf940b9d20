#include "daemon/broker/broker.h"

#include <fmt/format.h>

#include <numeric>
#include <utility>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "core/ws/http_server.h"
#include "daemon/broker/admission.h"
#include "daemon/broker/announcements.h"
#include "daemon/broker/asks.h"
#include "daemon/broker/client_session.h"
#include "daemon/broker/clients.h"
#include "daemon/broker/follower_session.h"
#include "daemon/broker/followers.h"
#include "daemon/broker/gateway_session.h"
#include "daemon/broker/idempotency.h"
#include "daemon/broker/keys.h"
#include "daemon/broker/metrics.h"
#include "daemon/broker/node_json.h"
#include "daemon/broker/paced_session.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest.h"
#include "daemon/broker/routing.h"
#include "daemon/broker/site.h"
#include "daemon/broker/static_files.h"
#include "daemon/broker/store_records.h"
#include "daemon/store/store.h"
#include "daemon/wire/metrics_text.h"

namespace aiot::broker {
namespace {

/// A batch may hold values of the largest size, escaped.
constexpr std::size_t kMaxMessage = 4 * 1024 * 1024;
/// Above the largest value in base 64 or escaped to the full.
constexpr std::size_t kMaxBody = 512 * 1024;
constexpr Duration kForgetEvery = std::chrono::seconds(10);

class BrokerImpl final : public Broker {
 public:
  BrokerImpl(EventLoop& loop, Options options)
      : loop_(loop),
        options_(std::move(options)),
        site_(options_.site, options_.dashboard ? dashboard_assets() : std::span<const Asset>()),
        table_(options_.max_nodes_per_gateway),
        clients_(loop, table_, counters_, {options_.client_outbox_bytes}),
        followers_(loop, table_, counters_),
        asks_(loop, table_, counters_, durations_),
        announcements_(clients_, followers_, asks_),
        records_(loop, table_),
        routing_(table_, announcements_, records_, records_, counters_),
        rest_({loop, table_, routing_, asks_, idempotency_, store_, records_, counters_, announcements_,
               site_, loop.now(), alive_}) {
    asks_.set_settled(
        [this](const NodeRequest& request, const Result<wire::Answer>& result) { settled(request, result); });
  }

  Result<void> start() override {
    auto keys = open_keys(options_.key_file, options_.listen);
    if (!keys) return keys.error();
    keys_ = std::move(*keys);
    if (auto opened = open_store(); !opened) return opened;
    ws::HttpServerOptions options;
    options.listen = options_.listen;
    options.max_body = kMaxBody;
    options.max_message = kMaxMessage;
    options.max_connections = options_.max_connections;
    options.max_connections_per_address = options_.max_connections_per_address;
    auto server = ws::HttpServer::listen(
        loop_, options,
        [this](ws::HttpRequest request, ws::HttpResponder responder) {
          answer(std::move(request), std::move(responder));
        },
        [this](const ws::UpgradeRequest& request) { return pace(decide(request), request.path == "/gw"); },
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
    stopped_ = std::move(done);
    const auto closed = [this](const Result<void>&) {
      if (!store_) return stopped_(Result<void>());
      store_->close([this](const Result<void>&) { stopped_(Result<void>()); });
    };
    if (server_) return server_->shut_down(deadline, closed);
    loop_.post([closed] { closed({}); });
  }

  void reload() override {
    auto keys = wire::read_key_file(options_.key_file);
    if (!keys) return log::error("the keys stay as they were: {}", keys.error().message);
    keys_ = std::move(*keys);
    log::info("read the keys in {} again", options_.key_file);
  }

  ~BrokerImpl() override { stopped_.dismiss(); }

 private:
  /// A request to a node has an outcome: the node's counters, and for a write an event.
  void settled(const NodeRequest& request, const Result<wire::Answer>& result) {
    if (!result) routing_.request_failed(request.uid, result.error());
    if (!is_write(request.method)) return;
    const Node* node = table_.find(request.uid);
    records_.event({"write",
                    node != nullptr ? std::string_view(node->owner->name) : std::string_view(),
                    request.uid,
                    write_sentence(request, result),
                    {},
                    write_data(request, result)});
  }

  Result<void> open_store() {
    if (options_.state_dir.empty()) {
      store_ = store::make_memory_store(loop_);
    } else {
      store::Options kept;
      kept.folder = options_.state_dir;
      kept.max_age = options_.retention;
      kept.max_bytes = options_.retention_bytes;
      kept.notice = [this](const std::string& type, const std::string& message) {
        records_.event({type, {}, {}, message});
      };
      store::Restored restored;
      auto opened = store::open_sqlite_store(loop_, std::move(kept), restored);
      if (!opened) return opened.error();
      store_ = std::move(*opened);
      const auto nodes = restored.nodes.size();
      idempotency_.restore(std::move(restored.writes), loop_.now(), loop_.wall_now());
      records_.restore(std::move(restored));
      if (nodes > 0) log::info("{} nodes known from before, stale until their gateways return", nodes);
    }
    records_.set_store(*store_);
    if (options_.forget_out > Duration(0)) forget_timer_->start(kForgetEvery);
    idempotency_.set_store(*store_, loop_);
    return {};
  }

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
    const GatewayServices services{loop_, routing_, asks_, *store_, records_, counters_};
    ws::UpgradeDecision decision;
    decision.subprotocol = admission->subprotocol;
    if (admission->native) {
      decision.session = std::make_unique<NativeGatewaySession>(services, std::move(admission->principal));
    } else {
      decision.session = std::make_unique<PyaiotGatewaySession>(services, std::move(admission->principal));
    }
    return decision;
  }

  /// Reads the session no faster than its kind may speak.
  ws::UpgradeDecision pace(ws::UpgradeDecision decision, bool is_gateway) {
    const auto& rate = is_gateway ? options_.gateway_rate : options_.client_rate;
    if (!decision.session || !rate.limited()) return decision;
    UniqueFunction<std::uint64_t()> meter;
    if (is_gateway) {
      meter = [this] {
        return std::accumulate(counters_.received.begin(), counters_.received.end(), std::uint64_t{0});
      };
    }
    auto& pauses = is_gateway ? counters_.paced_gateways : counters_.paced_clients;
    decision.session =
        std::make_unique<PacedSession>(loop_, std::move(decision.session), rate, std::move(meter), pauses);
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
    responder.reply(site_.serve(request));
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
    announcements_.count_delivered();
    std::size_t gateway_bytes = 0;
    for (const auto& [name, gateway] : table_.gateways()) {
      if (gateway->link != nullptr) gateway_bytes += gateway->link->queued_bytes();
    }
    const auto sockets = server_->counters();
    ws::HttpResponse response =
        plain(200, format_metrics({counters_, durations_, table_, announcements_.clients(),
                                   announcements_.queued_bytes(), gateway_bytes, store_->counters(),
                                   asks_.pending(), sockets.connections,
                                   sockets.refused_heads + sockets.refused_full + sockets.refused_address,
                                   sockets.refused_address}));
    response.content_type = wire::MetricsText::kContentType;
    return response;
  }

  EventLoop& loop_;
  Options options_;
  Site site_;
  std::string own_name_ = host_name();
  wire::Keys keys_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  NodeTable table_;
  Counters counters_;
  Histogram durations_;
  Idempotency idempotency_;
  log::Limiter refusals_;
  Clients clients_;
  Followers followers_;
  Asks asks_;
  Announcements announcements_;
  StoreRecords records_;
  Routing routing_;
  std::unique_ptr<store::Store> store_;
  Rest rest_;
  bool stopping_ = false;
  Completion<> stopped_;
  std::unique_ptr<Timer> forget_timer_ = loop_.make_timer([this] {
    routing_.forget_out(loop_.wall_now() -
                        std::chrono::duration_cast<std::chrono::milliseconds>(options_.forget_out));
    forget_timer_->start(kForgetEvery);
  });
  std::unique_ptr<ws::HttpServer> server_;  ///< last: its sessions use all of the above
};

}  // namespace

std::unique_ptr<Broker> Broker::make(EventLoop& loop, Options options) {
  return std::make_unique<BrokerImpl>(loop, std::move(options));
}

}  // namespace aiot::broker
