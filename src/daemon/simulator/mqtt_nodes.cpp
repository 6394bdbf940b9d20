#include <utility>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/mqtt/session.h"
#include "daemon/simulator/message_nodes.h"
#include "daemon/simulator/pyaiot_node.h"

namespace aiot::simulator {

namespace {

/// A node with this much unacknowledged leaves values out.
constexpr std::size_t kBacklog = 8;

class MqttNodes final : public MessageNodes {
 public:
  MqttNodes(EventLoop& loop, MessageOptions options) : MessageNodes(loop, std::move(options)) {}

 private:
  struct Member {
    Member(const Blueprint& blueprint, std::size_t number) : node(blueprint, number) {}
    PyaiotNode node;
    std::unique_ptr<Timer> check, post;
    bool joining = true;  ///< counted by the queue as under way
    bool joined = false;
    std::unique_ptr<mqtt::Session> session;
  };

  void make_node(std::size_t number) override {
    auto& member = *members_.emplace_back(std::make_unique<Member>(blueprint_, number));
    member.check = loop_.make_timer([this, &member] { check(member); });
    member.post = loop_.make_timer([this, &member] { post(member); });
  }

  void join(std::uint32_t index) override {
    auto& member = *members_[index];
    mqtt::SessionOptions options;
    options.host = options_.gateway.host();
    options.port = options_.gateway.port();
    options.client_id = "aiot-" + member.node.uid();
    mqtt::Session::Callbacks callbacks;
    callbacks.connected = [this, &member](bool /*present*/) { check(member); };
    callbacks.disconnected = [this, &member](const Error& why) {
      if (complaints_.allow()) log::info("{}: {}", member.node.uid(), why.message);
      member.check->stop();
      joined_or_failed(member);  // it goes on trying; others may go on joining
    };
    callbacks.received = [this, &member](const mqtt::Message& message, Completion<> stored) {
      received(member, message);
      stored({});
    };
    member.session = mqtt::Session::make(loop_, std::move(options), std::move(callbacks));
    if (auto started = member.session->start(); !started) {
      log::warn("{}: {}", member.node.uid(), started.error().message);
      ++counters_.send_failures;
      return joined_or_failed(member);
    }
    for (const auto& topic : member.node.subscriptions()) {
      member.session->subscribe(topic, {}, [&member](Result<> result) {
        if (!result) log::warn("{}: {}", member.node.uid(), result.error().message);
      });
    }
  }

  void joined_or_failed(Member& member) {
    if (std::exchange(member.joining, false)) end_joining();
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
    joined_or_failed(member);
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

  std::vector<std::unique_ptr<Member>> members_;
};

}  // namespace

std::unique_ptr<Simulation> make_mqtt_nodes(EventLoop& loop, MessageOptions options) {
  return std::make_unique<MqttNodes>(loop, std::move(options));
}

}  // namespace aiot::simulator
