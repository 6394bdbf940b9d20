#include "daemon/gateway/mqttsn_source.h"

#include <fmt/core.h>

#include <algorithm>
#include <tuple>

#include "core/base/text.h"
#include "core/loop/links.h"
#include "daemon/gateway/identity.h"
#include "daemon/gateway/node_message.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {

constexpr std::size_t kMaxNodesOfClient = 64;
/// A sleeping client may come so much later than it said.
constexpr Duration kSleepMargin = std::chrono::seconds(30);

}  // namespace

/// Routes between the gateway's own clients.
class MqttSnSource::LocalRoutes final : public MqttSnRoutes {
 public:
  explicit LocalRoutes(MqttSnSource& source) : source_(source) {}

  void publish(mqttsn::Message message, Completion<> done) override {
    if (message.retain && !retained_.set(message)) {
      done(make_error(Errc::rejected,
                      fmt::format("'{}': this gateway keeps at most {} retained messages",
                                  text::escape_controls(message.topic), RetainedStore::kMaxMessages)));
      return;
    }
    source_.core_.deliver(message, source_.loop_.now());
    done(Result<>());
  }
  void subscribe(const std::string& /*filter*/) override {}
  void unsubscribe(const std::string& /*filter*/) override {}
  void wants_retained(const std::string& client_id, const std::string& filter, int qos) override {
    // After the SUBACK, which tells the client the topic's id.
    source_.loop_.post([this, alive = std::weak_ptr(source_.alive_), client_id, filter, qos] {
      if (alive.expired()) return;
      for (auto& message : retained_.matching(filter)) {
        message.qos = std::min(message.qos, qos);
        source_.deliver_to(client_id, std::move(message));
      }
    });
  }

 private:
  MqttSnSource& source_;
  RetainedStore retained_;
};

MqttSnSource::MqttSnSource(EventLoop& loop, Policy& policy, Sink& sink, AllowList allow,
                           MqttSnOptions options)
    : loop_(loop),
      policy_(policy),
      sink_(sink),
      allow_(std::move(allow)),
      options_(std::move(options)),
      routes_(std::make_unique<LocalRoutes>(*this)),
      tick_timer_(loop.make_timer([this] { tick(); })),
      advertise_timer_(loop.make_timer([this] { advertise(); })),
      check_timer_(loop.make_timer([this] { check(); })),
      core_(options_.gateway, *this) {}

MqttSnSource::~MqttSnSource() = default;

Result<void> MqttSnSource::listen(const SocketAddress& address) {
  auto socket = UdpSocket::bind(loop_, address, [this](const SocketAddress& from, std::string_view datagram) {
    received(from, datagram);
  });
  if (!socket) return socket.error();
  socket_ = std::move(*socket);
  if (address.is_any()) {
    // Clients look for gateways there; a host without multicast is found by its address.
    for (const char* group : {mqttsn::kGroup4, mqttsn::kGroup6}) {
      if (std::string_view(group) == mqttsn::kGroup6 && address.family() != AF_INET6) continue;
      if (auto joined = socket_->join(*SocketAddress::parse(group, bound().port()), {}); !joined)
        log::info("MQTT-SN: {}", joined.error().message);
    }
  }
  if (!options_.state_dir.empty()) {
    store_ = std::make_unique<SessionStore>(loop_, options_.state_dir);
    auto file = store_->load();
    if (!file) return file.error();
    if (!file->sessions.empty()) log::info("{} MQTT-SN clients known from before", file->sessions.size());
    for (auto& [client_id, session] : file->sessions) core_.restore(std::move(session), loop_.now());
  }
  for (const auto& taken : options_.taken) core_.remember(taken.session, taken.message_id, taken.hash);
  options_.taken.clear();
  advertise();
  check();
  after_core();
  return {};
}

void MqttSnSource::close() {
  tick_timer_->stop();
  advertise_timer_->stop();
  check_timer_->stop();
  if (store_) store_->flush();
  closed_ = true;
}

void MqttSnSource::received(const SocketAddress& from, std::string_view datagram) {
  if (closed_) return;
  if (!allow_.admits(from)) {
    policy_.drop(Drop::not_allowed);
    return;
  }
  core_.received(from, datagram, loop_.now());
  after_core();
}

void MqttSnSource::send(const mqttsn::Peer& to, std::string datagram) {
  if (store_) store_->flush();  // what is answered is known after a crash as well
  if (socket_) socket_->send(to.address, std::move(datagram));
}

void MqttSnSource::publish(mqttsn::Ticket ticket, const std::string& client_id, mqttsn::Message message) {
  const bool is_node = is_node_topic(message.topic);
  Origin origin;
  if (const auto name = core_.name_of(ticket); name && is_node) {
    origin.session = client_id;
    std::tie(origin.message_id, origin.hash) = *name;
  }
  sink_.begin(origin.session.empty() ? nullptr : &origin);
  if (is_node) {
    const auto taken =
        take_node_message(policy_, {Protocol::mqttsn, {}, false, {}}, message.topic, message.payload, now());
    if (!taken && complaints_.allow()) {
      const auto* session = core_.find(client_id);
      log::warn("MQTT-SN client '{}' at {}, topic '{}': {}", text::escape_controls(client_id),
                session == nullptr ? "?" : session->peer.text(), text::escape_controls(message.topic),
                taken.error().message);
    }
    remember(client_id, message.topic, message.payload);
  }
  // The core is called back on a turn of its own. What the gateway itself keeps needs no broker to be safe.
  auto done = [this, alive = std::weak_ptr(alive_), ticket](bool ok) {
    loop_.post([this, alive, ticket, ok] {
      if (alive.expired()) return;
      core_.stored(ticket, ok);
      after_core();
    });
  };
  Completion<> routed;
  if (is_node || ticket == 0) {
    routed = [](const Result<>&) {};
    if (ticket != 0) {
      if (sink_.stored()) {
        done(true);
      } else {
        sink_.when_stored([done](const Result<>& result) { done(static_cast<bool>(result)); });
      }
    }
  } else {
    routed = [this, done](const Result<>& result) {
      if (!result && complaints_.allow()) log::warn("MQTT-SN: {}", result.error().message);
      done(static_cast<bool>(result));
    };
  }
  loop_.post([this, alive = std::weak_ptr(alive_), message = std::move(message),
              routed = std::move(routed)]() mutable {
    if (alive.expired()) return routed.dismiss();
    routes_->publish(std::move(message), std::move(routed));
    after_core();
  });
}

void MqttSnSource::subscribe(const std::string& filter) { routes_->subscribe(filter); }
void MqttSnSource::unsubscribe(const std::string& filter) { routes_->unsubscribe(filter); }
void MqttSnSource::wants_retained(const std::string& client_id, const std::string& filter, int qos) {
  routes_->wants_retained(client_id, filter, qos);
}

void MqttSnSource::changed(const mqttsn::Session& session, mqttsn::SessionChange change) {
  if (store_) store_->changed(session, change);
  if (change.kind == mqttsn::SessionChange::Kind::gone) {
    nodes_.erase(session.client_id);
    asleep_.erase(session.client_id);
  } else if (change.kind == mqttsn::SessionChange::Kind::session) {
    slept(session);
  }
}

void MqttSnSource::remember(const std::string& client_id, std::string_view topic, std::string_view payload) {
  std::string id;
  if (topic == "node/check") {
    if (auto checked = parse_check(payload)) id = std::move(*checked);
  } else {
    topic.remove_prefix(std::string_view("node/").size());
    id = topic.substr(0, topic.find('/'));
  }
  if (client_id.empty() || !is_node_id(id)) return;
  auto& ids = nodes_[client_id];
  if (ids.size() >= kMaxNodesOfClient) return;
  const auto [at, is_new] = ids.insert(std::move(id));
  if (!is_new) return;
  const auto sleep = asleep_.find(client_id);
  policy_.messages().set_lifetime(Protocol::mqttsn, *at,
                                  sleep == asleep_.end() ? Duration(0) : sleep->second);
}

void MqttSnSource::slept(const mqttsn::Session& session) {
  using State = mqttsn::Session::State;
  const bool sleeps = session.state == State::asleep || session.state == State::awake;
  const Duration lifetime = sleeps ? session.keep_alive + session.keep_alive / 2 + kSleepMargin : Duration(0);
  auto& before = asleep_[session.client_id];
  if (before == lifetime) {
    if (lifetime == Duration(0)) asleep_.erase(session.client_id);
    return;
  }
  before = lifetime;
  const auto ids = nodes_.find(session.client_id);
  if (ids == nodes_.end()) return;
  for (const auto& id : ids->second) policy_.messages().set_lifetime(Protocol::mqttsn, id, lifetime);
}

void MqttSnSource::deliver(const mqttsn::Message& message) {
  core_.deliver(message, loop_.now());
  after_core();
}

void MqttSnSource::deliver_to(const std::string& client_id, mqttsn::Message message) {
  core_.deliver_to(client_id, std::move(message), loop_.now());
  after_core();
}

Result<void> MqttSnSource::tell(const Node& node, const NodeMessage& message) {
  auto [topic, payload] = topic_message(node.id, message);
  mqttsn::Message news{topic, std::move(payload), 1, false};
  if (message.ticket == 0) {
    // The policy says so while the core is about a message of that node: it must not be called back.
    loop_.post([this, alive = std::weak_ptr(alive_), news = std::move(news)] {
      if (!alive.expired()) deliver(news);
    });
    return {};
  }
  news.expires = loop_.now() + message.deadline;
  const auto told = core_.deliver(news, loop_.now());
  after_core();
  if (told == 0)
    return make_error(Errc::unreachable, fmt::format("node '{}' has not subscribed {}", node.id, topic));
  return {};
}

void MqttSnSource::advertise() {
  const auto every = std::chrono::duration_cast<std::chrono::seconds>(options_.advertise_every);
  const auto seconds = static_cast<std::uint16_t>(std::clamp<std::int64_t>(every.count(), 1, 0xFFFF));
  if (auto links = network_links({}); links && bound().is_any()) {
    for (const auto& link : *links) {
      const bool is_v6 = link.address.family() == AF_INET6;
      if (!link.multicast || (is_v6 && bound().family() != AF_INET6)) continue;
      // IPv4 leaves by the route that the system has for the group.
      const auto to =
          is_v6 ? SocketAddress::parse(fmt::format("[{}%{}]", mqttsn::kGroup6, link.index), bound().port())
                : SocketAddress::parse(mqttsn::kGroup4, bound().port());
      if (to) socket_->send(*to, core_.advertisement(seconds));
    }
  }
  advertise_timer_->start(options_.advertise_every);
}

void MqttSnSource::check() {
  // Who sleeps over it needs no old one.
  core_.deliver({std::string(kGatewayCheck), {}, 1, false, loop_.now() + kGatewayCheckEvery}, loop_.now());
  after_core();
  check_timer_->start(kGatewayCheckEvery);
}

void MqttSnSource::tick() {
  core_.tick(loop_.now());
  after_core();
}

void MqttSnSource::after_core() {
  if (store_) store_->flush();
  if (closed_) return;
  const auto next = core_.tick(loop_.now());
  tick_timer_->start(std::max<Duration>(next - loop_.now(), Duration(0)));
}

}  // namespace aiot::gateway
