#include <utility>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/mqttsn/client_link.h"
#include "daemon/simulator/message_nodes.h"
#include "daemon/simulator/pyaiot_node.h"

namespace aiot::simulator {

namespace {

/// emcute's are 15 s and 3 tries, and 6 minutes of keep alive.
constexpr Duration kRetryAfter = std::chrono::seconds(3);
constexpr int kRetries = 3;
constexpr Duration kKeepAlive = std::chrono::minutes(6);
/// A node with this much unacknowledged leaves values out.
constexpr std::size_t kBacklog = 8;

class MqttsnNodes;

class Member final : public mqttsn::ClientEvents {
 public:
  Member(MqttsnNodes& all, const Blueprint& blueprint, std::size_t number);
  /// Opens the socket and connects.
  Result<> start();
  [[nodiscard]] const mqttsn::ClientLink* link() const { return link_.get(); }

 private:
  enum class What : std::uint8_t { subscription, check, post, answer };

  void connected() override;
  void lost(const Error& why) override;
  void received(mqttsn::Message message) override;
  void done(Ticket ticket, Result<> result) override;
  void asleep() override;
  void check();
  void post();
  void wake();
  /// Publishes at QoS 1; the ticket says what it was.
  void publish(What what, PyaiotNode::Message message);
  [[nodiscard]] static Ticket ticket(What what) { return 1 + static_cast<Ticket>(what); }

  MqttsnNodes& all_;
  PyaiotNode node_;
  std::unique_ptr<mqttsn::ClientLink> link_;
  std::unique_ptr<Timer> check_, post_;
  TimePoint checked_{};
  bool joining_ = true;    ///< counted by the queue as under way
  bool fetching_ = false;  ///< awake for what waits; the connection is next
  bool joined_ = false;
  bool subscribed_ = false;
};

class MqttsnNodes final : public MessageNodes {
 public:
  MqttsnNodes(EventLoop& loop, MessageOptions options) : MessageNodes(loop, std::move(options)) {}

  [[nodiscard]] Counters counters() const override {
    auto out = counters_;
    for (const auto& member : members_) {
      if (member->link() == nullptr) continue;
      out.retransmissions += member->link()->core().counters().retransmissions;
      out.malformed += member->link()->core().counters().malformed;
      out.send_failures += member->link()->udp_counters().send_failures;
    }
    return out;
  }

  using MessageNodes::end_joining;
  [[nodiscard]] EventLoop& loop() { return loop_; }
  [[nodiscard]] const MessageOptions& options() const { return options_; }
  [[nodiscard]] Counters& count() { return counters_; }

 private:
  void make_node(std::size_t number) override {
    members_.push_back(std::make_unique<Member>(*this, blueprint_, number));
  }

  void join(std::uint32_t index) override {
    if (auto started = members_[index]->start(); !started) {
      log::warn("{}", started.error().message);
      ++counters_.send_failures;
      end_joining();
    }
  }

  std::vector<std::unique_ptr<Member>> members_;
};

Member::Member(MqttsnNodes& all, const Blueprint& blueprint, std::size_t number)
    : all_(all), node_(blueprint, number) {
  check_ = all.loop().make_timer([this] { check(); });
  post_ = all.loop().make_timer([this] { all_.options().sleep > Duration::zero() ? wake() : post(); });
}

Result<> Member::start() {
  const bool sleeps = all_.options().sleep > Duration::zero();
  mqttsn::ClientCoreOptions options;
  options.client_id = node_.uid();
  options.clean_session = !sleeps;
  options.keep_alive = kKeepAlive;
  options.retry_after = kRetryAfter;
  options.retries = kRetries;
  options.register_each = true;
  // emcute connects once, ever; it does not sleep either, so those that do are better clients.
  options.reconnect = sleeps;
  auto link = mqttsn::ClientLink::open(all_.loop(), all_.options().gateway, std::move(options), *this);
  if (!link) return std::move(link).error();
  link_ = std::move(*link);
  link_->connect();
  return {};
}

void Member::connected() {
  if (!std::exchange(subscribed_, true)) {
    for (auto& topic : node_.subscriptions())
      link_->subscribe(ticket(What::subscription), std::move(topic), 1);
    return check();
  }
  if (all_.options().sleep > Duration::zero()) {
    // Up for a moment: it says that it lives, tells a value, and sleeps on.
    if (all_.loop().now() - checked_ >= all_.options().heartbeat) check();
    post();
    link_->sleep(all_.options().sleep);
  }
}

void Member::lost(const Error& why) {
  log::debug("{}: {}", node_.uid(), why.message);
  // It goes on trying; others may go on joining.
  if (std::exchange(joining_, false)) all_.end_joining();
}

void Member::received(mqttsn::Message message) {
  std::vector<PyaiotNode::Message> out;
  switch (node_.receive(message.topic, message.payload, out)) {
    case PyaiotNode::Heard::nothing: break;
    case PyaiotNode::Heard::request: ++all_.count().requests_served; break;
    case PyaiotNode::Heard::write: ++all_.count().writes; break;
  }
  for (auto& answer : out) publish(What::answer, std::move(answer));
}

void Member::done(Ticket done, Result<> result) {
  auto& counters = all_.count();
  if (!result) log::debug("{}: {}", node_.uid(), result.error().message);
  if (done == ticket(What::post)) {
    const bool refused = !result && result.error().code == Errc::rejected;
    ++(result ? counters.posts_acknowledged : refused ? counters.posts_refused : counters.posts_unanswered);
  }
  if (done != ticket(What::check) || !result || std::exchange(joined_, true)) return;
  ++counters.joined;
  if (std::exchange(joining_, false)) all_.end_joining();
  const auto& options = all_.options();
  if (options.sleep > Duration::zero()) return link_->sleep(options.sleep);
  if (options.interval > Duration::zero()) post_->start(random_part(options.interval));
}

void Member::asleep() {
  if (std::exchange(fetching_, false)) return link_->connect();
  post_->start(all_.options().sleep);
}

void Member::wake() {
  fetching_ = true;
  link_->wake();
}

void Member::check() {
  checked_ = all_.loop().now();
  ++all_.count().alives_sent;
  publish(What::check, node_.check());
  if (all_.options().sleep <= Duration::zero()) check_->start(all_.options().heartbeat);
}

void Member::post() {
  auto& counters = all_.count();
  if (link_->core().queued() >= kBacklog) {
    ++counters.posts_skipped;
  } else if (auto message = node_.next()) {
    ++counters.posts_sent;
    publish(What::post, std::move(*message));
  }
  if (all_.options().sleep <= Duration::zero()) post_->start(all_.options().interval);
}

void Member::publish(What what, PyaiotNode::Message message) {
  link_->publish(ticket(what), {std::move(message.topic), std::move(message.payload), 1, false});
}

}  // namespace

std::unique_ptr<Simulation> make_mqttsn_nodes(EventLoop& loop, MessageOptions options) {
  return std::make_unique<MqttsnNodes>(loop, std::move(options));
}

}  // namespace aiot::simulator
