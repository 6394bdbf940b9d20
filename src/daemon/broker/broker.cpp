#include "daemon/broker/broker.h"

#include <fmt/format.h>

#include <utility>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "core/tls/identity.h"
#include "core/ws/http_server.h"
#include "daemon/broker/access.h"
#include "daemon/broker/announcements.h"
#include "daemon/broker/asks.h"
#include "daemon/broker/clients.h"
#include "daemon/broker/followers.h"
#include "daemon/broker/idempotency.h"
#include "daemon/broker/login_page.h"
#include "daemon/broker/login_routes.h"
#include "daemon/broker/metrics.h"
#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/reception.h"
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
/// So soon a change of the users file or the keys, and the end of a token, has its effect.
constexpr Duration kRefreshEvery = std::chrono::seconds(1);

class BrokerImpl final : public Broker {
 public:
  BrokerImpl(EventLoop& loop, Options options)
      : loop_(loop),
        options_(std::move(options)),
        site_(options_.site, options_.dashboard ? dashboard_assets() : std::span<const Asset>()),
        table_(options_.max_nodes_per_gateway),
        clients_(loop, table_, counters_, {options_.client_outbox_bytes}),
        followers_(loop, table_, counters_),
        access_(options_.access, options_.key_file, options_.listen),
        asks_(loop, table_, counters_, durations_),
        announcements_(clients_, followers_, asks_),
        records_(loop, table_),
        routing_(table_, announcements_, records_, records_, counters_),
        login_(loop, access_, records_),
        rest_({loop, table_, routing_, asks_, idempotency_, store_, records_, counters_, announcements_,
               access_, site_, loop.now(), alive_}),
        reception_({loop, options_, access_, clients_, followers_, asks_, routing_, rest_, store_, records_,
                    counters_}) {
    asks_.set_settled(
        [this](const NodeRequest& request, const Result<wire::Answer>& result) { settled(request, result); });
    login_.set_changed([this] { examine(); });
  }

  Result<void> start() override {
    if (auto opened = access_.open(); !opened) return opened;
    if (auto opened = open_store(); !opened) return opened;
    if (auto opened = listen(); !opened) return opened;
    if (auto opened = listen_legacy(); !opened) return opened;
    refresh_timer_->start(kRefreshEvery);
    tell_setup_link();
    return {};
  }

  [[nodiscard]] SocketAddress bound() const override { return server_ ? server_->bound() : SocketAddress(); }
  [[nodiscard]] SocketAddress legacy_bound() const override {
    return legacy_ ? legacy_->bound() : SocketAddress();
  }

  void stop(Duration deadline, Completion<> done) override {
    stopping_ = true;
    refresh_timer_->stop();
    legacy_.reset();
    stopped_ = std::move(done);
    const auto closed = [this](const Result<void>&) {
      if (!store_) return stopped_(Result<void>());
      store_->close([this](const Result<void>&) { stopped_(Result<void>()); });
    };
    if (server_) return server_->shut_down(deadline, closed);
    loop_.post([closed] { closed({}); });
  }

  void reload() override {
    if (identity_) {
      if (auto read = identity_->reload(); !read) {
        log::error("the certificate stays as it was: {}", read.error().message);
      } else {
        log::info("read the certificate in {} again", options_.tls_cert);
      }
    }
    refresh(true);
  }

  ~BrokerImpl() override { stopped_.dismiss(); }

 private:
  Result<void> listen() {
    ws::HttpServerOptions options;
    options.listen = options_.listen;
    options.max_body = kMaxBody;
    options.max_message = kMaxMessage;
    if (!options_.tls_cert.empty()) {
      auto identity = tls::Identity::load(options_.tls_cert, options_.tls_key);
      if (!identity) return identity.error();
      identity_ = std::move(*identity);
    }
    options.identity = identity_;
    options.trusted_proxies = options_.trusted_proxies;
    options.strict_transport = options_.strict_transport;
    options.max_connections = options_.max_connections;
    options.max_connections_per_address = options_.max_connections_per_address;
    auto server = ws::HttpServer::listen(
        loop_, options,
        [this](ws::HttpRequest request, ws::HttpResponder responder) {
          answer(std::move(request), std::move(responder));
        },
        [this](const ws::UpgradeRequest& request) { return reception_.decide(request); },
        [](std::string_view path, int status, std::string why) {
          return is_api(path) ? problem(status, Errc::usage, std::move(why)) : plain(status, why + "\n");
        });
    if (!server) return server.error();
    server_ = std::move(*server);
    return {};
  }

  /// pyaiot's gateways and pages speak no TLS: a port of their own, where nothing else is.
  Result<void> listen_legacy() {
    if (!options_.access.legacy_listen) return {};
    ws::HttpServerOptions options;
    options.listen = *options_.access.legacy_listen;
    options.trusted_proxies = options_.trusted_proxies;
    options.max_body = 0;
    options.max_message = kMaxMessage;
    auto server = ws::HttpServer::listen(
        loop_, options,
        [](const ws::HttpRequest&, ws::HttpResponder responder) {
          responder.reply(plain(404, "only pyaiot's /ws and /gw are here\n"));
        },
        [this](const ws::UpgradeRequest& request) -> ws::UpgradeDecision {
          return reception_.decide_legacy(request);
        });
    if (!server) return server.error();
    legacy_ = std::move(*server);
    if (!legacy_->bound().is_loopback()) {
      log::warn("{} speaks pyaiot's wire without TLS: tokens and values can be read on the way",
                legacy_->bound().text());
    }
    return {};
  }

  void tell_setup_link() {
    const std::string path = options_.access.setup_link ? login_.make_setup_path() : std::string();
    if (path.empty()) return;
    const auto at = server_->bound();
    const std::string name = host_name();
    const std::string host = at.is_any() && !name.empty() ? fmt::format("{}:{}", name, at.port()) : at.text();
    log::warn("there are no users yet; whoever opens this link first becomes the administrator: {}://{}{}",
              identity_ ? "https" : "http", host, path);
  }

  void refresh(bool all) {
    if (access_.refresh(all, loop_.now())) {
      records_.event({"access_changed", {}, {}, "users, tokens or keys were changed"});
    }
    examine();
  }

  /// Closes the connections of those who may not go on.
  void examine() {
    const WallTime now = loop_.wall_now();
    reception_.close_unless([&](const Principal& principal) {
      if (principal.kind == Principal::Kind::user) access_.logins().touch(principal.id, loop_.now());
      return access_.holds(principal, now);
    });
  }

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

  void answer(ws::HttpRequest request, ws::HttpResponder responder) {
    const std::string_view path = request.path;
    const bool page = LoginRoutes::takes(path);
    // A page elsewhere can send simple requests without asking first; it may not change anything by them.
    const bool reads = request.method == "GET" || request.method == "HEAD";
    if ((is_api(path) || page) && !reads &&
        !reception_.may_come_from(request.header("origin"), request.header("host"))) {
      return responder.reply(
          problem(403, Errc::unauthorized, "pages of this origin may not use this broker"));
    }
    const bool is_probe = path == "/healthz" || path == "/readyz";
    if (const auto host = request.header("host"); !is_probe && !reception_.may_be_called(host)) {
      return responder.reply(problem(
          403, Errc::unauthorized,
          fmt::format("this broker is not known as {}; --allow-origin http://{} would say so", host, host)));
    }
    auto principal = access_.identify(request.headers, request.secure, loop_.now(), loop_.wall_now());
    if (page) {
      return login_.handle(request, std::move(responder), principal ? *principal : Principal());
    }
    if (is_api(path)) {
      if (!principal) {
        ++counters_.refused_access;
        return responder.reply(unauthorized(principal.error().message));
      }
      return rest_.handle(std::move(request), std::move(responder), std::move(*principal));
    }
    const bool ours = is_probe || path == "/metrics" || path == "/ws" || path == "/gw";
    if (ours && request.method != "GET") return responder.reply(only_get());
    if (path == "/healthz") return responder.reply(plain(200, "ok\n"));
    if (path == "/readyz") {
      return responder.reply(stopping_ ? plain(503, "stopping\n") : plain(200, "ready\n"));
    }
    if (path == "/metrics") return responder.reply(show_metrics(principal));
    if (path == "/ws" || path == "/gw") {
      ws::HttpResponse response = plain(426, "this is a WebSocket\n");
      response.headers.emplace_back("upgrade", "websocket");
      return responder.reply(std::move(response));
    }
    // The dashboard shows nothing to somebody without a role; his browser goes where he gets one.
    const bool may_read = principal && principal->may_read();
    const bool wants_page = reads && (path == "/" || path == "/index.html" ||
                                      request.header("accept").find("text/html") != std::string_view::npos);
    if (wants_page && !may_read) {
      return responder.reply(see_other(login_path(request)));
    }
    if (Site::is_picture(path) && !may_read) return responder.reply(for_viewers(principal, "this picture"));
    responder.reply(site_.serve(request));
  }

  /// The refusal of what is for viewers of anything.
  static ws::HttpResponse for_viewers(const Result<Principal>& who, std::string_view what) {
    if (!who) return unauthorized(who.error().message);
    const std::string why = fmt::format("{} is for viewers", what);
    return who->kind == Principal::Kind::anonymous ? unauthorized(why)
                                                   : problem(403, Errc::unauthorized, why);
  }

  static bool is_api(std::string_view path) { return path.substr(0, kApiPrefix.size()) == kApiPrefix; }

  ws::HttpResponse show_metrics(const Result<Principal>& who) {
    if (who && who->may_read() && who->scope.whole()) return metrics();
    return for_viewers(who, "/metrics, of all nodes,");
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
                                   sockets.refused_address, login_.counters(), access_.logins().size()}));
    response.content_type = wire::MetricsText::kContentType;
    return response;
  }

  EventLoop& loop_;
  Options options_;
  Site site_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  NodeTable table_;
  Counters counters_;
  Histogram durations_;
  Idempotency idempotency_;
  Clients clients_;
  Followers followers_;
  Access access_;
  Asks asks_;
  Announcements announcements_;
  StoreRecords records_;
  Routing routing_;
  std::unique_ptr<store::Store> store_;
  LoginRoutes login_;
  Rest rest_;
  Reception reception_;
  bool stopping_ = false;
  Completion<> stopped_;
  std::unique_ptr<Timer> forget_timer_ = loop_.make_timer([this] {
    routing_.forget_out(loop_.wall_now() -
                        std::chrono::duration_cast<std::chrono::milliseconds>(options_.forget_out));
    forget_timer_->start(kForgetEvery);
  });
  std::unique_ptr<Timer> refresh_timer_ = loop_.make_timer([this] {
    refresh(false);
    refresh_timer_->start(kRefreshEvery);
  });
  std::shared_ptr<tls::Identity> identity_;  ///< null without TLS
  std::unique_ptr<ws::HttpServer> legacy_;
  std::unique_ptr<ws::HttpServer> server_;  ///< last: its sessions use all of the above
};

}  // namespace

std::unique_ptr<Broker> Broker::make(EventLoop& loop, Options options) {
  return std::make_unique<BrokerImpl>(loop, std::move(options));
}

}  // namespace aiot::broker
