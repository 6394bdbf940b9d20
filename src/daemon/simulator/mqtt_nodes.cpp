#include <utility>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/mqtt/session.h"
#include "daemon/simulator/descriptor_limit.h"
#include "daemon/simulator/join_queue.h"
#include "daemon/simulator/pyaiot_node.h"
#include "daemon/simulator/simulator.h"

namespace aiot::simulator {

namespace {

/// A node with this much unacknowledged leaves values out.
constexpr std::size_t kBacklog = 8;

class MqttNodes final : public Simulation {
 public:
  MqttNodes(EventLoop& loop, MessageOptions options) : loop_(loop), options_(std::move(options)) {}

  Result<void> start() override {
    auto blueprint = Blueprint::make(options_.resources, false);
    if (!blueprint) return std::move(blueprint).error();
    blueprint_ = *std::move(blueprint);
    if (auto reserved = reserve_descriptors(options_.nodes); !reserved) return reserved;
    members_.reserve(options_.nodes);
    for (std::size_t i = 0; i < options_.nodes; ++i) {
      auto& member = *members_.emplace_back(std::make_unique<Member>(blueprint_, options_.first + i));
      member.check = loop_.make_timer([this, &member] { check(member); });
      member.post = loop_.make_timer([this, &member] { post(member); });
      queue_.add(static_cast<std::uint32_t>(i));
    }
    joining_ = loop_.make_timer(
        [this] { queue_.go_on([this](std::uint32_t index) { connect(*members_[index]); }); });
    joining_->start(Duration(0));
    return {};
  }
  [[nodiscard]] Counters counters() const override { return counters_; }

 private:
  struct Member {
    Member(const Blueprint& blueprint, std::size_t number) : node(blueprint, number) {}
    PyaiotNode node;
    std::unique_ptr<Timer> check, post;
    bool joining = true;  ///< counted by the queue as under way
    bool joined = false;
    std::unique_ptr<mqtt::Session> session;
  };

  void connect(Member& member) {
    mqtt::SessionOptions options;
    options.host = options_.gateway.host();
    options.port = options_.gateway.port();
    options.client_id = "aiot-" + member.node.uid();
    mqtt::Session::Callbacks callbacks;
    callbacks.connected = [this, &member](bool /*present*/) { check(member); };
    callbacks.disconnected = [this, &member](const Error& why) {
      if (complaints_.allow()) log::info("{}: {}", member.node.uid(), why.message);
      member.check->stop();
      end_joining(member);  // it goes on trying; others may go on joining
    };
    callbacks.received = [this, &member](const mqtt::Message& message, Completion<> stored) {
      received(member, message);
      stored({});
    };
    member.session = mqtt::Session::make(loop_, std::move(options), std::move(callbacks));
    if (auto started = member.session->start(); !started) {
      log::warn("{}: {}", member.node.uid(), started.error().message);
      ++counters_.send_failures;
      return end_joining(member);
    }
    for (const auto& topic : member.node.subscriptions()) {
      member.session->subscribe(topic, {}, [&member](Result<> result) {
        if (!result) log::warn("{}: {}", member.node.uid(), result.error().message);
      });
    }
  }

  void end_joining(Member& member) {
    if (!std::exchange(member.joining, false)) return;
    queue_.ended();
    joining_->start(Duration(0));
  }

  void received(Member& member, const mqtt::Message& message) {
    std::vector<PyaiotNode::Message> out;
    switch (member.node.receive(message.topic, message.payload, out)) {
      case PyaiotNode::Heard::nothing: break;
      case PyaiotNode::Heard::request: ++counters_.requests_served; break;
      case PyaiotNode::Heard::write: ++counters_.writes; break;
    }
    for (auto& answer : out) publish(member, std::move(answer), [](const Result<>&) {});
  }

  void check(Member& member) {
    ++counters_.alives_sent;
    publish(member, member.node.check(), [this, &member](const Result<>& result) {
      if (result) joined(member);
    });
    member.check->start(options_.heartbeat);
  }

  void joined(Member& member) {
    if (std::exchange(member.joined, true)) return;
    ++counters_.joined;
    end_joining(member);
    if (options_.interval > Duration::zero()) member.post->start(random_part(options_.interval));
  }

  void post(Member& member) {
    if (member.session->counters().queued >= kBacklog) {
      ++counters_.posts_skipped;
    } else if (auto message = member.node.next()) {
      ++counters_.posts_sent;
      publish(member, std::move(*message), [this](const Result<>& result) {
        const bool refused = !result && result.error().code == Errc::rejected;
        ++(result    ? counters_.posts_acknowledged
           : refused ? counters_.posts_refused
                     : counters_.posts_unanswered);
      });
    }
    member.post->start(options_.interval);
  }

  template <class Done>
  void publish(Member& member, PyaiotNode::Message message, Done done) {
    mqtt::Message out;
    out.topic = std::move(message.topic);
    out.payload = std::move(message.payload);
    out.qos = 1;
    member.session->publish(std::move(out), Completion<>(std::move(done)));
  }

  EventLoop& loop_;
  MessageOptions options_;
  Blueprint blueprint_;
  JoinQueue queue_;
  Counters counters_;
  log::Limiter complaints_;
  std::unique_ptr<Timer> joining_;
  std::vector<std::unique_ptr<Member>> members_;  ///< last: what ends with a session may still count
};

}  // namespace

std::unique_ptr<Simulation> make_mqtt_nodes(EventLoop& loop, MessageOptions options) {
  return std::make_unique<MqttNodes>(loop, std::move(options));
}

}  // namespace aiot::simulator
