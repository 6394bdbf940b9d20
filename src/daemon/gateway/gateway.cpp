#include "daemon/gateway/gateway.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <deque>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/tls/listener_security.h"
#include "daemon/gateway/coap_source.h"
#include "daemon/gateway/journal.h"
#include "daemon/gateway/keeper.h"
#include "daemon/gateway/metrics.h"
#include "daemon/gateway/mqtt_source.h"
#include "daemon/gateway/mqttsn_source.h"
#include "daemon/gateway/mqttsn_upstream.h"
#include "daemon/gateway/name_resolver.h"
#include "daemon/gateway/node_client.h"
#include "daemon/gateway/token_maker.h"
#include "daemon/gateway/uplink.h"
#include "daemon/gateway/web_socket_source.h"

namespace aiot::gateway {

namespace {

/// Of what comes from MQTT nodes, and for MQTT-SN clients, while the gateway is away.
constexpr std::chrono::seconds kKeepAtBroker = std::chrono::hours(24);

/// Messages of the last run that may be repeated: of MQTT-SN clients, and of the MQTT broker, which has no
/// more than 20 under way (libmosquitto's receive maximum, and Mosquitto's for MQTT 3.1.1).
constexpr std::size_t kMaxTaken = 65'536, kMaxInFlight = 32;

/// Discovery and writes take a socket a node under way: as many descriptors as the system grants.
void raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const rlim_t wanted = limit.rlim_max == RLIM_INFINITY ? 65536 : std::min<rlim_t>(limit.rlim_max, 65536);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  ::setrlimit(RLIMIT_NOFILE, &limit);
}

PolicyOptions policy_options(const Options& options) {
  PolicyOptions out;
  out.site = options.site;
  out.max_time = options.max_time;
  out.max_time_for = options.max_time_for;
  out.limits = TableLimits{options.max_nodes, std::min(options.max_nodes, TableLimits().out)};
  out.node_rate = options.node_rate;
  out.trust_first_use = options.trust_first_use;
  out.release = options.release;
  return out;
}

class NodeGateway final : public Gateway, private Effects {
 public:
  NodeGateway(EventLoop& loop, Options options)
      : loop_(loop),
        options_(with_defaults(std::move(options))),
        policy_(policy_options(options_), *this),
        client_(loop, {[this](Ticket ticket, Result<Response> result) {
                         policy_.responded(ticket, std::move(result), now());
                       },
                       [this](Ticket ticket, const Response& response) {
                         policy_.notified(ticket, response, now());
                       }}),
        names_(loop, policy_),
        journal_(loop, journal_options()),
        tick_timer_(loop.make_timer([this] { tick(); })),
        stop_timer_(loop.make_timer([this] { finish(); })) {}

  ~NodeGateway() override { stopped_.dismiss(); }

  Result<void> start() override {
    raise_descriptor_limit();
    auto allow = AllowList::parse(options_.allow);
    if (!allow) return allow.error();
    for (const auto& node : options_.nodes)
      if (auto added = names_.add(node); !added) return added;
    if (options_.broker_url)
      if (auto made = make_uplink(); !made) return made;
    if (options_.coap || options_.coaps) {
      coap_ = std::make_unique<CoapSource>(loop_, policy_, journal_, *allow);
      if (auto bound = listen_coap(); !bound) return bound;
      std::vector<SocketAddress> own;
      for (const auto& [name, address] : coap_->listeners()) own.push_back(address);
      policy_.listening(std::move(own));
    }
    if (options_.ws) {
      ws_ = std::make_unique<WebSocketSource>(loop_, policy_, *allow, options_.ws_files);
      if (auto bound = ws_->listen(*options_.ws); !bound) return bound;
    }
    if (!options_.state_dir.empty()) {
      keeper_ = std::make_unique<Keeper>(loop_, policy_, options_.state_dir);
      if (auto loaded = keeper_->load(); !loaded) return loaded;
    }
    if (auto opened = open_journal(); !opened) return opened;
    if (options_.metrics) {
      auto served =
          MetricsServer::listen(loop_, *options_.metrics, options_.name, [this] { return counters(); });
      if (!served) return served.error();
      metrics_ = std::move(*served);
    }
    if (auto made = listen_mqttsn(*allow); !made) return made;
    if (options_.mqtt) {
      auto options = mqtt_options();
      if (!options) return options.error();
      mqtt_ = std::make_unique<MqttSource>(loop_, policy_, journal_, std::move(*options));
      if (auto started = mqtt_->start(); !started) return started;
    }
    names_.start();
    if (uplink_) uplink_->start();
    tick();
    return {};
  }

  [[nodiscard]] std::vector<std::pair<std::string, SocketAddress>> listeners() const override {
    std::vector<std::pair<std::string, SocketAddress>> out;
    if (coap_) out = coap_->listeners();
    if (ws_) out.emplace_back("ws", ws_->bound());
    if (mqttsn_) out.emplace_back("mqttsn", mqttsn_->bound());
    if (metrics_) out.emplace_back("metrics", metrics_->bound());
    return out;
  }

  [[nodiscard]] Counters counters() override {
    Counters out;
    out.nodes = policy_.counters();
    if (coap_) {
      const auto server = coap_->counters();
      out.nodes.duplicates = server.duplicates;
      out.nodes.malformed = server.malformed;
      out.nodes.reduced = server.reduced;
      out.nodes.kernel_drops = server.kernel_drops;
      out.nodes.secure_sessions = server.secured;
      out.nodes.failed_handshakes = server.failed_handshakes;
      out.nodes.refused_hellos = server.refused_hellos;
    }
    if (uplink_) out.uplink = uplink_->counters();
    out.journal = journal_.counters();
    return out;
  }

  void reload() override {
    if (ws_) ws_->reload();
    if (!security_) return;
    if (auto read = security_->reload(); !read)
      return log::error("the nodes' keys and certificates stay as they were: {}", read.error().message);
    coap_->recheck_peers();
    log::info("read the nodes' keys and certificates again: {} keys", security_->keys());
  }

  void stop(Duration deadline, Completion<> done) override {
    stopped_ = std::move(done);
    stop_timer_->start(deadline);
    tick_timer_->stop();
    client_.cancel_all();
    if (coap_) coap_->close();  // what nodes say from here on could no longer be passed on
    if (mqttsn_) mqttsn_->close();
    waiting_ = 2;
    const auto part = [this](const Result<>&) { part_done(); };
    if (upstream_ != nullptr) {
      ++waiting_;
      upstream_->stop(deadline / 2, part);
    }
    if (mqtt_) {
      ++waiting_;
      mqtt_->stop(deadline / 2, part);
    }
    if (ws_) {
      ++waiting_;
      ws_->stop(deadline, part);
    }
    if (metrics_) {
      ++waiting_;
      metrics_->stop(deadline, part);
    }
    if (uplink_) {
      ++waiting_;
      uplink_->stop(deadline, part);
    }
    if (keeper_) {
      ++waiting_;
      keeper_->stop(part);
    }
    journal_.close(part);
    loop_turn_->start(Duration(0));
  }

 private:
  static Options with_defaults(Options options) {
    if (options.name.empty()) options.name = default_name();
    if (options.site.empty()) options.site = options.name;
    return options;
  }

  Result<void> listen_coap() {
    if (options_.coap) {
      if (auto bound = coap_->listen(*options_.coap); !bound) return bound;
    }
    if (!options_.coaps) return {};
    auto security = tls::ListenerSecurity::load(options_.coaps_files);
    if (!security) return security.error();
    security_ = std::move(*security);
    return coap_->listen(*options_.coaps, security_);
  }

  Result<void> make_uplink() {
    auto endpoint = ws::parse_endpoint(*options_.broker_url);
    if (!endpoint) return endpoint.error();
    endpoint->files = options_.broker_tls;
    TokenMaker token(loop_, options_);
    if (auto first = token(); !first) return first.error();
    uplink_ = std::make_unique<Uplink>(
        loop_, policy_.table(), journal_,
        UplinkOptions{std::move(*endpoint), options_.name, options_.site, token},
        Uplink::Callbacks{
            [this](const wire::Ask& ask) { policy_.ask(ask, now()); },
            [this](const wire::Refused& refused) { policy_.refused(refused.uid, refused.reason, now()); },
            [this](const wire::Freed& freed) { policy_.freed(freed.uid, now()); },
            [this] { return report_of(counters()); }});
    return {};
  }

  [[nodiscard]] JournalOptions journal_options() const {
    JournalOptions out;
    if (!options_.state_dir.empty()) out.folder = options_.state_dir + "/journal";
    out.sync = options_.sync;
    out.max_bytes = options_.journal_bytes;
    out.max_age = options_.journal_age;
    return out;
  }

  Result<void> open_journal() {
    Journal::Callbacks callbacks;
    callbacks.readable = [this] {
      if (uplink_) uplink_->readable();
    };
    callbacks.notice = [this](const std::string& type, const std::string& message) {
      loop_.post([this, alive = std::weak_ptr<char>(alive_),
                  notice = wire::Notice{type, {}, message, loop_.wall_now()}] {
        if (!alive.expired()) item(notice);
      });
    };
    callbacks.seen = [this](const Origin& origin, const Update& update) {
      if (!origin.session.empty()) {
        TakenMessage taken{std::string(origin.session), origin.message_id, origin.hash};
        if (taken_.empty() || taken_.back() != taken)
          taken_.push_back(std::move(taken));  // one of many values
        if (taken_.size() > kMaxTaken) taken_.pop_front();
      } else if (coap_) {
        coap_->remember(origin, update);
      }
    };
    journal_.set_callbacks(std::move(callbacks));
    return journal_.open();
  }

  Result<void> listen_mqttsn(const AllowList& allow) {
    if (!options_.mqttsn) return {};
    MqttSnOptions options;
    options.gateway.gateway_id = options_.mqttsn_id;
    options.gateway.predefined = options_.mqttsn_topics;
    options.gateway.trust_first_use = options_.trust_first_use;
    options.gateway.released = options_.release;
    options.gateway.retry_after = options_.mqttsn_retry;
    options.gateway.retries = options_.mqttsn_retries;
    options.state_dir = options_.state_dir;
    for (const auto& taken : taken_)
      if (taken.session != kMqttSession) options.taken.push_back(taken);
    mqttsn_ = std::make_unique<MqttSnSource>(loop_, policy_, journal_, allow, std::move(options));
    if (options_.mqtt) {
      auto upstream = std::make_unique<MqttSnUpstream>(
          loop_, kept_session("clients"), options_.name,
          MqttSnRoutesCallbacks{[this](const mqttsn::Message& message) { mqttsn_->deliver(message); },
                                [this](const std::string& client_id, mqttsn::Message message) {
                                  mqttsn_->deliver_to(client_id, std::move(message));
                                }});
      upstream_ = upstream.get();
      if (auto started = upstream_->start(); !started) return started;
      mqttsn_->set_routes(std::move(upstream));
    }
    return mqttsn_->listen(*options_.mqttsn);
  }

  [[nodiscard]] mqtt::SessionOptions session_options() const {
    const auto& broker = *options_.mqtt;
    mqtt::SessionOptions out;
    out.host = broker.host;
    out.port = broker.port;
    if (broker.tls) out.tls = mqtt::TlsOptions{broker.ca_file, broker.cert_file, broker.key_file, {}};
    out.user = broker.user;
    out.password = broker.password;
    return out;
  }

  /// A session that the broker keeps while the gateway is away, so that what comes meanwhile is not lost; not
  /// without a folder to keep its name in.
  [[nodiscard]] mqtt::SessionOptions kept_session(const char* purpose) const {
    auto out = session_options();
    const auto id = kept_client_id(options_.state_dir);
    if (id.empty()) return out;
    out.client_id = fmt::format("{}-{}", id, purpose);
    out.clean_start = false;
    out.expiry = kKeepAtBroker;
    return out;
  }

  Result<MqttOptions> mqtt_options() const {
    MqttOptions out;
    out.session = kept_session("nodes");
    for (auto taken = taken_.rbegin(); taken != taken_.rend() && out.taken.size() < kMaxInFlight; ++taken)
      if (taken->session == kMqttSession) out.taken.push_back(*taken);
    out.discovery_prefix = options_.mqtt->discovery_prefix;
    for (const auto& pattern : options_.mqtt->maps) {
      auto map = TopicMap::parse(pattern);
      if (!map) return map.error();
      out.maps.push_back(std::move(*map));
    }
    return out;
  }

  [[nodiscard]] Now now() const { return {loop_.now(), loop_.wall_now()}; }
  void tick() { tick_timer_->start(policy_.tick(now())); }
  void part_done() {
    if (--waiting_ == 0) finish();
  }
  void finish() {
    stop_timer_->stop();
    stopped_(Result<>());
  }

  void update(Node& node, Resource& resource) override {
    if (uplink_) uplink_->update(node, resource);
  }
  void item(wire::Item item) override {
    if (uplink_) uplink_->item(std::move(item));
  }
  void request(NodeRequest request) override { client_.request(std::move(request)); }
  void observe(NodeRequest request) override { client_.observe(std::move(request)); }
  void cancel(Ticket ticket) override { client_.cancel(ticket); }
  Result<void> tell(const Node& node, const NodeMessage& message) override {
    if (node.protocol == Protocol::websocket && ws_) return ws_->tell(node, message);
    if (node.protocol == Protocol::mqtt && mqtt_) return mqtt_->tell(node, message);
    if (node.protocol == Protocol::mqttsn && mqttsn_) return mqttsn_->tell(node, message);
    return make_error(Errc::unreachable, fmt::format("this gateway speaks no {}", to_string(node.protocol)));
  }
  void answer(wire::Answer answer) override {
    if (uplink_) uplink_->answer(answer);
  }
  void changed(const Node& node) override {
    if (keeper_) keeper_->changed(node);
  }

  EventLoop& loop_;
  Options options_;
  Policy policy_;
  NodeClient client_;
  NameResolver names_;
  Journal journal_;
  std::deque<TakenMessage> taken_;  ///< until the sources are made
  std::unique_ptr<Uplink> uplink_;
  std::unique_ptr<Keeper> keeper_;
  std::shared_ptr<tls::ListenerSecurity> security_;  ///< null without --coaps
  std::unique_ptr<CoapSource> coap_;
  std::unique_ptr<WebSocketSource> ws_;
  std::unique_ptr<MqttSource> mqtt_;
  std::unique_ptr<MetricsServer> metrics_;
  MqttSnUpstream* upstream_ = nullptr;  ///< the MQTT-SN source's
  std::unique_ptr<MqttSnSource> mqttsn_;
  std::unique_ptr<Timer> tick_timer_;
  std::unique_ptr<Timer> stop_timer_;
  std::unique_ptr<Timer> loop_turn_ = loop_.make_timer([this] { part_done(); });
  int waiting_ = 0;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  Completion<> stopped_;
};

}  // namespace

std::string default_name() {
  auto name = host_name();
  return name.empty() ? "gateway" : name;
}

std::unique_ptr<Gateway> Gateway::make(EventLoop& loop, Options options) {
  return std::make_unique<NodeGateway>(loop, std::move(options));
}

}  // namespace aiot::gateway
