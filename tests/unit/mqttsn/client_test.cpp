#include <catch2/catch.hpp>

#include "unit/mqttsn/client_fixture.h"

using namespace aiot;
using namespace aiot::mqttsn;
using namespace std::chrono_literals;
using Strings = std::vector<std::string>;
using Types = std::vector<Type>;

namespace {

ClientCoreOptions named(const std::string& id) {
  ClientCoreOptions options;
  options.client_id = id;
  options.retry_after = 1s;
  return options;
}

}  // namespace

TEST_CASE("a client connects, registers, publishes at each QoS and subscribes") {
  World w;
  Client c(w, 1, named("c"));
  c.core.publish(1, {"room/t", "0", 0, false}, w.now);
  c.core.publish(2, {"room/t", "1", 1, true}, w.now);
  c.core.publish(3, {"room/t", "2", 2, false}, w.now);
  CHECK(c.take_log().empty());  // they wait for the connection
  c.connect();
  CHECK(c.take_log() == Strings{"connected", "1", "2", "3"});
  CHECK(w.published == Strings{"c room/t=0 q0", "c room/t=1 q1 retained", "c room/t=2 q2"});
  CHECK(c.said_types() ==
        Types{Type::connect, Type::register_, Type::publish, Type::publish, Type::publish, Type::pubrel});
  c.core.subscribe(4, "down/+", 2, w.now);
  c.core.subscribe(5, "news", 1, w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"4", "5"});
  w.core.deliver({"down/a", "x", 2, false}, w.now);
  w.core.deliver({"news", "y", 1, false}, w.now);
  w.core.deliver({"news", "z", 0, false}, w.now);
  c.settle();
  CHECK(c.heard == Strings{"down/a=x q2", "news=y q1", "news=z q0"});
  CHECK(w.core.counters().queued == 0);
  c.core.unsubscribe(6, "news", w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"6"});
  w.core.deliver({"news", "unheard", 1, false}, w.now);
  c.settle();
  CHECK(c.heard.size() == 3);
  CHECK(w.upstream == Strings{"+down/+", "+news", "-news"});
}

TEST_CASE("short and predefined topics need no REGISTER, and QoS -1 no connection") {
  World w({.predefined = {{7, "fixed/one"}}});
  auto options = named("c");
  options.predefined = {{7, "fixed/one"}};
  Client c(w, 1, options);
  c.core.publish(1, {"ab", "short", -1, false}, w.now);
  c.core.publish(2, {"fixed/one", "set", -1, true}, w.now);
  c.core.publish(3, {"some/topic", "?", -1, false}, w.now);
  c.settle();
  CHECK(c.take_log() ==
        Strings{"1", "2", "3: QoS -1 needs a predefined or two-character topic, not 'some/topic'"});
  CHECK(w.published == Strings{" ab=short q0", " fixed/one=set q0 retained"});
  c.take_said();
  c.connect();
  c.core.publish(4, {"ab", "s", 1, false}, w.now);
  c.core.publish(5, {"fixed/one", "f", 1, false}, w.now);
  c.core.subscribe(6, "cd", 1, w.now);
  c.core.subscribe(7, "fixed/one", 1, w.now);
  c.core.subscribe(8, "+/", 1, w.now);  // two characters, and yet a filter
  c.settle();
  CHECK(c.take_log() == Strings{"connected", "4", "5", "6", "7", "8"});
  CHECK(c.said_types() == Types{Type::connect, Type::publish, Type::publish, Type::subscribe, Type::subscribe,
                                Type::subscribe});
  w.core.deliver({"cd", "1", 1, false}, w.now);
  w.core.deliver({"fixed/one", "2", 1, false}, w.now);
  w.core.deliver({"x/", "3", 1, false}, w.now);
  c.settle();
  CHECK(c.heard == Strings{"cd=1 q1", "fixed/one=2 q1", "x/=3 q1"});
}

TEST_CASE("a will is given to the gateway and published when the client is silent") {
  World w;
  auto options = named("c");
  options.keep_alive = 10s;
  options.will = Message{"gone", "c", 1, false};
  Client c(w, 1, options);
  c.connect();
  CHECK(c.take_log() == Strings{"connected"});
  CHECK(c.said_types() == Types{Type::connect, Type::willtopic, Type::willmsg});
  w.advance(20s);
  CHECK(w.published == Strings{"c gone=c q1"});
}

TEST_CASE("bad topics, too long messages and a full queue are told at once") {
  World w;
  auto options = named("c");
  options.queued = 2;
  Client c(w, 1, options);
  c.core.publish(1, {"a/+", "", 1, false}, w.now);
  c.core.publish(2, {"a", std::string(65'507, 'x'), 1, false}, w.now);
  c.core.subscribe(3, "a/#/b", 1, w.now);
  c.core.unsubscribe(4, "", w.now);
  c.core.publish(5, {"a", "", 1, false}, w.now);
  c.core.publish(6, {"a", "", 1, false}, w.now);
  c.core.publish(7, {"a", "", 1, false}, w.now);
  CHECK(c.take_log() == Strings{"1: 'a/+' is not a topic",
                                "2: a message of 65507 bytes does not fit a datagram",
                                "3: 'a/#/b' is not a topic filter", "4: '' is not a topic filter",
                                "7: 2 messages wait already"});
  c.connect();
  CHECK(c.take_log() == Strings{"connected", "5", "6"});
  CHECK(c.outgoing.empty());
}

TEST_CASE("the longest message arrives") {
  World w;
  Client c(w, 1, named("c"));
  c.connect();
  c.core.publish(1, {"a", std::string(kMaxPayload, 'x'), 1, false}, w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"connected", "1"});
}

TEST_CASE(
    "keep alive holds the session; a gateway that is gone is lost, and found again with its subscriptions") {
  World w;
  auto options = named("c");
  options.keep_alive = 20s;
  Client c(w, 1, options);
  c.connect();
  c.core.subscribe(1, "news", 1, w.now);
  c.settle();
  c.take_said();
  c.advance(60s);
  CHECK(c.said_types() == Types{Type::pingreq, Type::pingreq, Type::pingreq, Type::pingreq});
  REQUIRE(w.core.find("c")->state == Session::State::active);
  CHECK(c.take_log() == Strings{"connected", "1"});

  c.cut = true;
  c.advance(30s);
  CHECK(c.take_log() == Strings{"lost: no answer from the gateway to PINGREQ"});
  c.core.publish(2, {"up", "late", 1, false}, w.now);
  w.core.deliver({"news", "missed", 1, false}, w.now);
  c.advance(5min);
  CHECK(c.take_log().empty());
  c.cut = false;
  c.advance(60s);
  CHECK(c.take_log() == Strings{"connected", "2"});
  CHECK(w.published == Strings{"c up=late q1"});
  CHECK(c.heard == Strings{"news=missed q1"});
}

TEST_CASE("a gateway that forgot everything is told the subscriptions and topics again") {
  World w;
  Client c(w, 1, named("c"));
  c.connect();
  c.core.subscribe(1, "news/#", 1, w.now);
  c.core.publish(2, {"up/a", "1", 1, false}, w.now);
  c.settle();
  World fresh;
  std::swap(w.sent, fresh.sent);
  Client moved(fresh, 1, named("other"));
  // The packets of the one go to the other gateway: it answers DISCONNECT, and the client starts over.
  c.core.publish(3, {"up/a", "2", 1, false}, w.now);
  for (const auto& datagram : std::exchange(c.outgoing, {})) fresh.raw(1, datagram);
  for (const auto& packet : fresh.take(1)) c.core.received(format_packet(packet), w.now);
  CHECK(c.take_log() == Strings{"connected", "1", "2", "lost: the gateway ended the session"});
  c.take_said();
  for (int i = 0; i < 20; ++i) {
    w.now += 200ms;
    c.core.tick(w.now);
    for (const auto& datagram : std::exchange(c.outgoing, {})) fresh.raw(1, datagram);
    for (const auto& packet : fresh.take(1)) c.core.received(format_packet(packet), w.now);
  }
  CHECK(c.take_log() == Strings{"connected", "3"});
  CHECK(c.said_types() == Types{Type::connect, Type::subscribe, Type::register_, Type::publish});
  CHECK(fresh.published == Strings{"c up/a=2 q1"});
  CHECK(fresh.upstream == Strings{"+news/#"});
}

TEST_CASE("an id that the gateway does not know is registered again, a few times") {
  World w;
  Client c(w, 1, named("c"));
  c.connect();
  c.core.publish(1, {"up/a", "1", 1, false}, w.now);
  c.settle();
  c.take_log();
  c.take_said();
  const auto refuse = [&](int times) {
    for (int i = 0; i < times; ++i) {
      const auto packet = c.take_said().back();
      REQUIRE(packet.type == Type::publish);
      c.outgoing.clear();
      c.core.received(format_packet({.type = Type::puback,
                                     .topic_id = packet.topic_id,
                                     .message_id = packet.message_id,
                                     .return_code = ReturnCode::invalid_topic_id}),
                      w.now);
      if (!c.outgoing.empty()) {
        REQUIRE(c.said.back().type == Type::register_);
        c.core.received(
            format_packet({.type = Type::regack, .topic_id = 9, .message_id = c.said.back().message_id}),
            w.now);
      }
    }
  };
  c.core.publish(2, {"up/a", "2", 1, false}, w.now);
  refuse(1);
  CHECK(c.log.empty());
  c.settle();  // the real gateway does not know 9 either, and gives its own
  CHECK(c.take_log() == Strings{"2"});
  c.take_said();
  c.core.publish(3, {"up/a", "3", 1, false}, w.now);
  refuse(5);
  CHECK(c.take_log() == Strings{"3: the gateway refused the topic 'up/a': rejected: invalid topic id"});
}

TEST_CASE("congestion is waited out, other refusals end the message with their reason") {
  World w;
  auto options = named("c");
  options.congestion_wait = 5s;
  Client c(w, 1, options);
  c.connect();
  w.stores = false;
  c.core.publish(1, {"up", "1", 1, false}, w.now);
  c.settle();
  w.core.stored(w.held.at(0), false);
  c.settle();
  w.stores = true;
  c.take_said();
  c.advance(4s);
  CHECK(c.take_said().empty());
  c.advance(2s);
  const auto again = c.take_said();
  REQUIRE(again.size() == 1);
  CHECK(again[0].flags.dup);
  CHECK(c.take_log() == Strings{"connected", "1"});

  c.core.publish(2, {"up", "2", 1, false}, w.now);
  c.outgoing.clear();
  c.core.received(format_packet({.type = Type::puback,
                                 .message_id = c.said.back().message_id,
                                 .return_code = ReturnCode::not_supported}),
                  w.now);
  CHECK(c.take_log() == Strings{"2: the gateway refused the message: rejected: not supported"});
  CHECK(c.last_error->code == Errc::rejected);
}

TEST_CASE("a refused connection is told, and tried again later") {
  World w;
  Client c(w, 1, named("a b"));  // our gateway takes no blanks
  c.connect();
  CHECK(c.take_log() == Strings{"lost: the gateway refused the connection: rejected: not supported"});
  c.advance(1min);
  CHECK(c.take_log().empty());
  const auto said = c.said_types();
  CHECK(said.size() > 3);
  CHECK(said.size() < 20);
}

TEST_CASE("a sleeping client gets in order and once what came meanwhile, and publishes when it is up") {
  World w;
  auto options = named("c");
  options.clean_session = false;
  Client c(w, 1, options);
  c.connect();
  c.core.subscribe(1, "down/#", 1, w.now);
  c.core.sleep(100s, w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"connected", "1", "asleep"});
  for (const char* payload : {"1", "2", "3"}) w.core.deliver({"down/x", payload, 1, false}, w.now);
  c.settle();
  CHECK(c.heard.empty());
  c.take_said();
  c.advance(90s);
  CHECK(c.take_said().empty());  // no PINGREQ while it sleeps
  c.core.wake(w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"asleep"});
  CHECK(c.heard == Strings{"down/x=1 q1", "down/x=2 q1", "down/x=3 q1"});
  c.core.publish(2, {"up", "u", 1, false}, w.now);
  c.settle();
  CHECK(w.published.empty());
  c.core.connect(w.now);
  c.core.sleep(100s, w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"connected", "2", "asleep"});
  CHECK(w.published == Strings{"c up=u q1"});
  CHECK(w.core.find("c")->state == Session::State::asleep);
}

TEST_CASE("a second sleep takes the place of one that still waits") {
  World w;
  Client c(w, 1, named("c"));
  c.core.sleep(50s, w.now);
  c.core.publish(1, {"ab", "1", 1, false}, w.now);
  c.core.sleep(100s, w.now);
  c.connect();
  CHECK(c.take_log() == Strings{"connected", "1", "asleep"});
  CHECK(w.core.find("c")->keep_alive == 100s);
  CHECK(c.core.queued() == 0);
}

TEST_CASE("a client that connects once goes on with REGISTER and PUBLISH whatever the gateway does") {
  World w;
  auto options = named("c");
  options.reconnect = false;
  options.register_each = true;
  options.keep_alive = 0s;
  options.retries = 2;
  Client c(w, 1, options);
  c.connect();
  c.core.publish(1, {"up/a", "1", 1, false}, w.now);
  c.core.publish(2, {"up/a", "2", 1, false}, w.now);
  c.settle();
  CHECK(c.said_types() ==
        Types{Type::connect, Type::register_, Type::publish, Type::register_, Type::publish});
  c.cut = true;
  c.core.publish(3, {"up/a", "3", 1, false}, w.now);
  c.advance(10s);
  CHECK(c.take_log() == Strings{"connected", "1", "2", "3: no answer from the gateway to REGISTER"});
  c.cut = false;
  c.core.received(format_packet({.type = Type::disconnect}), w.now);
  c.core.publish(4, {"up/a", "4", 1, false}, w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"4"});
  for (const auto type : c.said_types()) CHECK(type != Type::connect);
}

TEST_CASE("what the gateway says out of turn changes nothing") {
  World w;
  Client c(w, 1, named("c"));
  c.connect();
  c.take_said();
  for (int type = 0; type < 0x1E; ++type) {
    Packet packet{.type = static_cast<Type>(type), .topic_id = 0xFFFF, .message_id = 999, .data = "x"};
    if (packet.type == Type::disconnect || packet.type == Type::pingreq) continue;
    c.core.received(format_packet(packet), w.now);
  }
  c.core.received("", w.now);
  c.core.received("\x02", w.now);
  CHECK(c.core.counters().malformed >= 2);
  c.outgoing.clear();
  c.core.publish(1, {"up", "1", 1, false}, w.now);
  c.settle();
  CHECK(c.take_log() == Strings{"connected", "1"});
  CHECK(c.heard.empty());
}

TEST_CASE("a message on a topic id that the client does not know is refused, so that it is registered") {
  World w;
  Client c(w, 1, named("c"));
  c.connect();
  c.take_said();
  c.core.received(
      format_packet({.type = Type::publish, .flags = {.qos = 1}, .topic_id = 12, .message_id = 3}), w.now);
  auto said = c.take_said();
  REQUIRE(said.size() == 1);
  CHECK(said[0].type == Type::puback);
  CHECK(said[0].return_code == ReturnCode::invalid_topic_id);
  CHECK(said[0].topic_id == 12);
  c.core.received(format_packet({.type = Type::register_, .topic_id = 12, .message_id = 4, .data = "a/+"}),
                  w.now);
  said = c.take_said();
  REQUIRE(said.size() == 1);
  CHECK(said[0].return_code == ReturnCode::not_supported);
}

TEST_CASE("what leaves no answer is known to have left") {
  World w;
  Client c(w, 1, named("c"));
  c.core.publish(1, {"ab", "1", 1, false}, w.now);
  CHECK_FALSE(c.core.left(1));
  c.connect();
  c.cut = true;
  c.core.publish(2, {"ab", "2", 1, false}, w.now);
  CHECK(c.core.left(2));
  c.core.publish(3, {"ab", "3", 1, false}, w.now);
  c.core.publish(4, {"ab", "4", 1, false}, w.now);
  c.core.forget(3, w.now);
  c.core.forget(2, w.now);
  c.settle();
  CHECK(c.core.queued() == 1);
  CHECK(c.said.back().data == "4");
  c.core.disconnect(w.now);
  CHECK(c.take_said().back().type == Type::disconnect);
  CHECK(c.core.state() == ClientCore::State::idle);
  c.advance(1h);
  CHECK(c.take_said().empty());
}
