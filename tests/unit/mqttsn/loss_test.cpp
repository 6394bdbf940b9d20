#include <catch2/catch.hpp>
#include <map>
#include <optional>
#include <random>

#include "unit/mqttsn/world.h"

using namespace aiot;
using namespace aiot::mqttsn;
using namespace std::chrono_literals;

namespace {

/// A client that repeats what is not acknowledged for ever, one message at a time, over a path that loses.
class LossyClient {
 public:
  LossyClient(World& world, int host, unsigned seed, int percent)
      : w_(world), host_(host), random_(seed), percent_(percent) {}

  void start(const Packet& packet) {
    waiting_ = packet;
    say(packet);
  }
  [[nodiscard]] bool idle() const { return !waiting_; }
  void repeat() {
    if (!waiting_) return;
    if (waiting_->type == Type::publish) waiting_->flags.dup = true;
    say(*waiting_);
  }
  /// Takes what the gateway has sent, as far as it arrives.
  void listen() {
    for (const auto& packet : w_.take(host_))
      if (!lost()) heard(packet);
  }
  std::vector<std::string> received;

 private:
  bool lost() { return std::uniform_int_distribution<int>(0, 99)(random_) < percent_; }
  void say(const Packet& packet) {
    if (!lost()) w_.from(host_, packet);
  }
  void heard(const Packet& packet) {
    const auto ends = [&](Type asked) {
      if (waiting_ && waiting_->type == asked && waiting_->message_id == packet.message_id) waiting_.reset();
    };
    switch (packet.type) {
      case Type::puback: return ends(Type::publish);
      case Type::pubrec:
        if (waiting_ && waiting_->type == Type::publish && waiting_->message_id == packet.message_id)
          start({.type = Type::pubrel, .message_id = packet.message_id});
        return;
      case Type::pubcomp: return ends(Type::pubrel);
      case Type::register_:
        return say({.type = Type::regack, .topic_id = packet.topic_id, .message_id = packet.message_id});
      case Type::publish:
        if (packet.flags.qos == 2) {
          if (unreleased_.insert(packet.message_id).second) received.push_back(packet.data);
          return say({.type = Type::pubrec, .message_id = packet.message_id});
        }
        if (received.empty() || received.back() != packet.data) received.push_back(packet.data);
        return say({.type = Type::puback, .topic_id = packet.topic_id, .message_id = packet.message_id});
      case Type::pubrel:
        unreleased_.erase(packet.message_id);
        return say({.type = Type::pubcomp, .message_id = packet.message_id});
      default: return;
    }
  }

  World& w_;
  int host_;
  std::mt19937 random_;
  int percent_;
  std::optional<Packet> waiting_;
  std::set<std::uint16_t> unreleased_;
};

}  // namespace

TEST_CASE("with 30 % loss each way nothing of QoS 1 and 2 is lost, and QoS 2 comes once") {
  const int qos = GENERATE(1, 2);
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U);
  CAPTURE(qos, seed);
  constexpr int kMessages = 200;
  World w({.retry_after = 100ms, .retries = -1});
  LossyClient client(w, 1, seed, 30);
  w.connect(1, "c", false, 0);
  const auto up = w.topic(1, "up");
  w.subscribe(1, "down/+", qos);
  int sent = 0;
  for (int i = 0; i < kMessages; ++i) w.core.deliver({"down/x", std::to_string(i), qos, false}, w.now);
  for (int turn = 0; turn < 20000 && (sent < kMessages || !client.idle() || w.core.counters().queued > 0);
       ++turn) {
    if (client.idle() && sent < kMessages) {
      client.start({.type = Type::publish,
                    .flags = {.qos = qos, .topic_kind = TopicKind::short_name},
                    .topic_id = short_topic_id('u', 'p'),
                    .message_id = static_cast<std::uint16_t>(1 + sent),
                    .data = std::to_string(sent)});
      ++sent;
    } else {
      client.repeat();
    }
    client.listen();
    w.advance(100ms);
    client.listen();
  }
  static_cast<void>(up);
  std::vector<std::string> expected, published;
  for (int i = 0; i < kMessages; ++i) {
    expected.push_back(std::to_string(i));
    published.push_back("c up=" + std::to_string(i) + " q" + std::to_string(qos));
  }
  CHECK(client.received == expected);
  CHECK(w.published == published);
}
