#include <catch2/catch.hpp>

#include "unit/mqttsn/world.h"

using namespace aiot;
using namespace aiot::mqttsn;
using namespace std::chrono_literals;

using Texts = std::vector<std::string>;
using Types = std::vector<Type>;

TEST_CASE("a gateway is found, and advertises itself") {
  World w({.gateway_id = 9});
  w.from(1, {.type = Type::searchgw, .radius = 1});
  const auto answers = w.take(1);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].type == Type::gwinfo);
  CHECK(answers[0].gateway_id == 9);
  CHECK(parse_packet(w.core.advertisement(900))->duration == 900);
}

TEST_CASE("a client connects, registers and publishes at each quality of service") {
  World w;
  w.from(1, {.type = Type::connect, .flags = {.clean_session = true}, .duration = 60, .data = "c"});
  CHECK(w.types(1) == Types{Type::connack});
  const auto id = w.topic(1, "node/c/led");
  CHECK(id != 0);
  CHECK(w.topic(1, "node/c/led") == id);

  w.from(1, {.type = Type::publish, .topic_id = id, .data = "0"});
  CHECK(w.take(1).empty());
  w.from(1, {.type = Type::publish,
             .flags = {.qos = 1, .retain = true},
             .topic_id = id,
             .message_id = 5,
             .data = "1"});
  auto answers = w.take(1);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0] == Packet{.type = Type::puback, .topic_id = id, .message_id = 5});

  const Packet twice{
      .type = Type::publish, .flags = {.qos = 2}, .topic_id = id, .message_id = 6, .data = "2"};
  w.from(1, twice);
  w.from(1, twice);
  CHECK(w.types(1) == Types{Type::pubrec, Type::pubrec});
  w.from(1, {.type = Type::pubrel, .message_id = 6});
  w.from(1, {.type = Type::pubrel, .message_id = 6});
  CHECK(w.types(1) == Types{Type::pubcomp, Type::pubcomp});
  // Released, the number stands for another message.
  w.from(1, twice);
  CHECK(w.published ==
        Texts{"c node/c/led=0 q0", "c node/c/led=1 q1 retained", "c node/c/led=2 q2", "c node/c/led=2 q2"});
}

TEST_CASE("a repeated QoS 1 message is acknowledged again and published once") {
  World w;
  w.connect(1, "c");
  const auto id = w.topic(1, "t");
  Packet packet{.type = Type::publish, .flags = {.qos = 1}, .topic_id = id, .message_id = 5, .data = "x"};
  w.from(1, packet);
  packet.flags.dup = true;
  w.from(1, packet);
  CHECK(w.types(1) == Types{Type::puback, Type::puback});
  CHECK(w.published.size() == 1);
  CHECK(w.core.counters().duplicates == 1);
  // Without DUP the number has come round again.
  packet.flags.dup = false;
  w.from(1, packet);
  CHECK(w.published.size() == 2);
}

TEST_CASE("a message is acknowledged once it is stored, and not at all before") {
  World w;
  w.stores = false;
  w.connect(1, "c");
  const auto id = w.topic(1, "t");
  const Packet packet{
      .type = Type::publish, .flags = {.qos = 1}, .topic_id = id, .message_id = 5, .data = "x"};
  w.from(1, packet);
  w.from(1, packet);
  CHECK(w.take(1).empty());
  REQUIRE(w.held.size() == 1);
  w.core.stored(w.held[0], false);
  CHECK(w.take(1).at(0).return_code == ReturnCode::congestion);
  w.from(1, packet);
  REQUIRE(w.held.size() == 2);
  w.core.stored(w.held[1], true);
  CHECK(w.take(1).at(0).return_code == ReturnCode::accepted);
}

TEST_CASE("what is still being stored swallows no other message under its number") {
  World w;
  w.stores = false;
  w.connect(1, "c");
  const auto id = w.topic(1, "t");
  const auto message = [&](int qos, const char* data) {
    return Packet{
        .type = Type::publish, .flags = {.qos = qos}, .topic_id = id, .message_id = 5, .data = data};
  };
  const int qos = GENERATE(1, 2);
  w.from(1, message(qos, "old"));
  w.connect(1, "c");
  w.from(1, message(qos, "new"));
  REQUIRE(w.held.size() == 2);
  w.core.stored(w.held[0], true);
  CHECK(w.take(1).empty());  // nobody waits for that any more
  w.core.stored(w.held[1], true);
  CHECK(w.types(1) == Types{qos == 1 ? Type::puback : Type::pubrec});
}

TEST_CASE("a client that never knows the topic id is told it once more, and then left alone") {
  World w({.predefined = {{7, "pre/defined"}}});
  w.connect(1, "c");
  w.subscribe(1, "+");
  w.subscribe(1, "+/+");
  const auto* topic = GENERATE("ab", "pre/defined", "long");
  w.core.deliver({topic, "1", 1, false}, w.now);
  int publishes = 0;
  for (int round = 0; round < 10; ++round) {
    for (const auto& packet : w.take(1)) {
      if (packet.type == Type::register_)
        w.from(1, {.type = Type::regack, .topic_id = packet.topic_id, .message_id = packet.message_id});
      if (packet.type != Type::publish) continue;
      ++publishes;
      w.from(1, {.type = Type::puback,
                 .topic_id = packet.topic_id,
                 .message_id = packet.message_id,
                 .return_code = ReturnCode::invalid_topic_id});
    }
  }
  CHECK(publishes == 2);
  CHECK(w.core.counters().queued == 0);
  CHECK(w.core.counters().dropped[static_cast<std::size_t>(GatewayDrop::refused_by_client)] == 1);
}

TEST_CASE("a short name that the client subscribed by its name comes under the id it was given") {
  World w;
  w.connect(1, "c");
  const auto id = w.subscribe(1, "ab");
  w.core.deliver({"ab", "1", 1, false}, w.now);
  const auto got = w.take(1).at(0);
  CHECK(got.flags.topic_kind == TopicKind::normal);
  CHECK(got.topic_id == id);
}

TEST_CASE("a client that begins anew is told the topic ids again") {
  World w;
  w.connect(1, "c");
  w.topic(1, "a/b");
  w.connect(1, "c");
  w.subscribe(1, "a/#");
  w.core.deliver({"a/b", "1", 0, false}, w.now);
  CHECK(w.types(1) == Types{Type::register_});
}

TEST_CASE("unknown topic ids, names that are none and strangers are refused") {
  World w;
  w.from(1, {.type = Type::register_, .message_id = 1, .data = "t"});
  CHECK(w.types(1) == Types{Type::disconnect});
  w.connect(1, "c");
  w.from(1, {.type = Type::publish, .topic_id = 99, .data = "x"});
  CHECK(w.take(1).at(0).return_code == ReturnCode::invalid_topic_id);
  w.from(1, {.type = Type::register_, .message_id = 2, .data = "a/#"});
  CHECK(w.take(1).at(0).return_code == ReturnCode::not_supported);
  w.from(1, {.type = Type::subscribe, .message_id = 3, .data = "a#"});
  CHECK(w.take(1).at(0).return_code == ReturnCode::not_supported);
  w.from(1, {.type = Type::connect, .duration = 1, .data = ""});
  CHECK(w.take(1).at(0).return_code == ReturnCode::not_supported);
  w.raw(1, "nonsense");
  CHECK(w.take(1).empty());
  CHECK(w.published.empty());
  CHECK(w.core.counters().dropped[static_cast<std::size_t>(GatewayDrop::malformed)] == 1);
}

TEST_CASE("predefined ids and short names need no registration, and QoS -1 no connection") {
  World w({.predefined = {{7, "site/alarm"}}});
  Packet packet{.type = Type::publish,
                .flags = {.qos = -1, .topic_kind = TopicKind::predefined},
                .topic_id = 7,
                .data = "!"};
  w.from(1, packet);
  packet.flags.topic_kind = TopicKind::short_name;
  packet.topic_id = short_topic_id('t', '1');
  w.from(1, packet);
  packet.flags.topic_kind = TopicKind::normal;
  w.from(1, packet);
  CHECK(w.published == Texts{" site/alarm=! q0", " t1=! q0"});
  CHECK(w.sent.empty());
}

TEST_CASE("a will is asked for, changed, and published when its client falls silent") {
  World w;
  w.from(1, {.type = Type::connect, .flags = {.will = true}, .duration = 10, .data = "c"});
  CHECK(w.types(1) == Types{Type::willtopicreq});
  w.from(1, {.type = Type::willtopic, .flags = {.qos = 1, .retain = true}, .data = "gone/c"});
  CHECK(w.types(1) == Types{Type::willmsgreq});
  w.from(1, {.type = Type::willmsg, .data = "bye"});
  CHECK(w.types(1) == Types{Type::connack});
  w.from(1, {.type = Type::willmsgupd, .data = "later"});
  CHECK(w.types(1) == Types{Type::willmsgresp});
  w.advance(14s);
  CHECK(w.published.empty());
  w.advance(2s);
  CHECK(w.published == Texts{"c gone/c=later q1 retained"});
  w.connect(1, "c");
  w.from(1, {.type = Type::disconnect});
  w.advance(60s);
  CHECK(w.published.size() == 1);
}

TEST_CASE("subscribers get what matches, at their quality of service, once") {
  World w;
  w.connect(1, "c");
  const auto id = w.subscribe(1, "node/x/led", 1);
  CHECK(w.subscribe(1, "node/#", 0) == 0);
  CHECK(w.upstream == Texts{"+node/x/led", "+node/#"});
  CHECK(w.retained == Texts{"c node/x/led", "c node/#"});
  w.core.deliver({"node/x/led", "1", 2, true}, w.now);
  auto got = w.take(1);
  REQUIRE(got.size() == 1);
  // The id is known from the SUBACK: no REGISTER first.
  CHECK(got[0] == Packet{.type = Type::publish,
                         .flags = {.qos = 1},
                         .topic_id = id,
                         .message_id = got[0].message_id,
                         .data = "1"});
  w.from(1, {.type = Type::puback, .topic_id = id, .message_id = got[0].message_id});
  // A name that a wildcard brought is registered first.
  w.core.deliver({"node/y/led", "2", 0, false}, w.now);
  got = w.take(1);
  REQUIRE(got.size() == 1);
  CHECK(got[0].type == Type::register_);
  CHECK(got[0].data == "node/y/led");
  w.from(1, {.type = Type::regack, .topic_id = got[0].topic_id, .message_id = got[0].message_id});
  const auto sent = w.take(1);
  REQUIRE(sent.size() == 1);
  CHECK(sent[0].topic_id == got[0].topic_id);
  CHECK(sent[0].data == "2");
  w.from(1, {.type = Type::unsubscribe, .message_id = 4, .data = "node/#"});
  CHECK(w.types(1) == Types{Type::unsuback});
  CHECK(w.upstream.back() == "-node/#");
  w.core.deliver({"node/y/led", "3", 0, false}, w.now);
  CHECK(w.take(1).empty());
}

TEST_CASE("what is not acknowledged is repeated, and waits for a client that gave no answer at all") {
  World w({.retry_after = 10s, .retries = 2});
  w.connect(1, "c", false, 600);
  const auto id = w.subscribe(1, "t");
  w.core.deliver({"t", "1", 1, false}, w.now);
  CHECK_FALSE(w.take(1).at(0).flags.dup);
  w.advance(10s);
  CHECK(w.take(1).at(0).flags.dup);
  w.advance(10s);
  CHECK(w.take(1).size() == 1);
  w.advance(30s);
  CHECK(w.take(1).empty());
  CHECK(w.core.find("c")->state == Session::State::lost);
  CHECK(w.core.counters().queued == 1);
  // Any packet of its brings the client back, and what waited goes out.
  w.from(1, {.type = Type::pingreq});
  const auto got = w.take(1);
  REQUIRE(got.size() == 2);
  CHECK(got[0].type == Type::pingresp);
  CHECK(got[1].data == "1");
  w.from(1, {.type = Type::puback, .topic_id = id, .message_id = got[1].message_id});
  CHECK(w.core.counters().queued == 0);
}

TEST_CASE("a client that does not support DUP and RETAIN gets neither again") {
  World w({.retry_after = 10s});
  w.connect(1, "c", false, 600);
  const auto id = w.subscribe(1, "t");
  w.core.deliver_to("c", {"t", "1", 1, true}, w.now);
  auto got = w.take(1);
  CHECK(got.at(0).flags.retain);
  w.from(1, {.type = Type::puback,
             .topic_id = id,
             .message_id = got[0].message_id,
             .return_code = ReturnCode::not_supported});
  got = w.take(1);
  CHECK_FALSE(got.at(0).flags.retain);
  w.advance(10s);
  CHECK_FALSE(w.take(1).at(0).flags.dup);
}

TEST_CASE("the newer of two connections with one client id wins, and keeps the session") {
  World w;
  w.connect(1, "c", false);
  w.subscribe(1, "t");
  w.connect(2, "c", false);
  CHECK(w.types(1) == Types{Type::disconnect});
  w.core.deliver({"t", "1", 0, false}, w.now);
  CHECK(w.types(2) == Types{Type::publish});
  CHECK(w.take(1).empty());
  // A clean session starts with nothing.
  w.connect(2, "c", true);
  w.core.deliver({"t", "2", 0, false}, w.now);
  CHECK(w.take(2).empty());
  CHECK(w.upstream == Texts{"+t", "-t"});
}

TEST_CASE("by trust on first use a client id stays with its host, unless it is released") {
  GatewayOptions options;
  options.trust_first_use = true;
  options.released = {"old-*"};
  World w(options);
  w.connect(1, "c", false);
  w.subscribe(1, "t");
  w.from(2, {.type = Type::connect, .duration = 60, .data = "c"});
  const auto answers = w.take(2);
  REQUIRE(answers.size() == 1);
  CHECK(answers[0].type == Type::connack);
  CHECK(answers[0].return_code == ReturnCode::not_supported);
  CHECK(w.take(1).empty());
  w.core.deliver({"t", "1", 0, false}, w.now);
  CHECK(w.types(1) == Types{Type::publish});
  // Asleep and away it is still nobody else's.
  w.from(1, {.type = Type::disconnect, .duration = 60, .has_duration = true});
  w.take(1);
  w.core.deliver({"t", "2", 1, false}, w.now);
  w.from(2, {.type = Type::pingreq, .data = "c"});
  CHECK(w.types(2) == Types{Type::disconnect});
  w.connect(1, "c", false);
  w.connect(3, "old-1", false);
  w.connect(2, "old-1", false);
  CHECK(w.types(3) == Types{Type::disconnect});
}

TEST_CASE("a client behind a forwarder is one of its own") {
  World w;
  const auto forwarded = [&](const std::string& node, const Packet& packet) {
    w.core.received(World::address(1), format_forwarded(1, node, format_packet(packet)), w.now);
  };
  forwarded("A", {.type = Type::connect, .duration = 60, .data = "a"});
  forwarded("B", {.type = Type::connect, .duration = 60, .data = "b"});
  forwarded("A", {.type = Type::pingreq});
  const auto& to_a = w.sent.at("192.0.2.1:1885/41");
  REQUIRE(to_a.size() == 2);
  const auto last = parse_forwarded(to_a.back());
  REQUIRE(last);
  CHECK(last->node == "A");
  CHECK(parse_packet(last->packet)->type == Type::pingresp);
  CHECK(w.sent.at("192.0.2.1:1885/42").size() == 1);
}

TEST_CASE("a restarted gateway knows its clients, which go on with REGISTER and PUBLISH") {
  World before;
  before.connect(1, "c", false);
  const auto id = before.topic(1, "node/c/led");
  before.subscribe(1, "set");
  before.core.deliver({"set", "kept", 1, false}, before.now);
  const Packet second{
      .type = Type::publish, .flags = {.qos = 2}, .topic_id = id, .message_id = 8, .data = "1"};
  before.from(1, second);

  World w;
  for (const auto& [client_id, session] : before.saved) w.core.restore(session, w.now);
  CHECK(w.upstream == Texts{"+set"});
  const auto got = w.take(1);
  REQUIRE(got.size() == 1);
  CHECK(got[0].data == "kept");
  CHECK(w.topic(1, "node/c/led") == id);
  w.from(1, second);  // not released yet: the same message
  CHECK(w.types(1) == Types{Type::pubrec});
  CHECK(w.published.empty());
  w.from(1, {.type = Type::publish, .flags = {.qos = 1}, .topic_id = id, .message_id = 9, .data = "2"});
  CHECK(w.types(1) == Types{Type::puback});
  CHECK(w.published == Texts{"c node/c/led=2 q1"});
}

TEST_CASE("a restarted gateway takes a place for that of the client that came from there last") {
  World before;
  const bool old_is_first = GENERATE(true, false);
  before.connect(1, old_is_first ? "a" : "z", false);
  before.topic(1, "old");
  before.connect(1, "m", false);
  const auto id = before.topic(1, "new");

  World w;
  for (const auto& [client_id, session] : before.saved) w.core.restore(session, w.now);
  w.from(1, {.type = Type::publish, .topic_id = id, .data = "1"});
  CHECK(w.published == Texts{"m new=1 q0"});
}

TEST_CASE("a session without a message waits for no release") {
  World w;
  Session session;
  session.client_id = "c";
  session.peer = {World::address(1), {}};
  session.state = Session::State::active;
  session.in_flight.step = InFlight::Step::pubrel;
  session.in_flight.message_id = 3;
  w.core.restore(session, w.now);
  w.advance(1min);
  CHECK(w.take(1).empty());
  w.from(1, {.type = Type::pubcomp, .message_id = 3});
  CHECK(w.core.counters().delivered == 0);
}

TEST_CASE("a client has its bounds, and others nothing of it") {
  World w({.topics = 2, .subscriptions = 1, .queued_messages = 3});
  w.connect(1, "c", false);
  w.topic(1, "a/1");
  w.topic(1, "a/2");
  w.from(1, {.type = Type::register_, .message_id = 1, .data = "a/3"});
  CHECK(w.take(1).at(0).return_code == ReturnCode::congestion);
  w.subscribe(1, "a/1");
  w.from(1, {.type = Type::subscribe, .message_id = 2, .data = "a/2"});
  CHECK(w.take(1).at(0).return_code == ReturnCode::congestion);
  for (int i = 0; i < 5; ++i) w.core.deliver({"a/1", std::to_string(i), 1, false}, w.now);
  CHECK(w.core.counters().queued == 3);
  CHECK(w.core.counters().dropped[static_cast<std::size_t>(GatewayDrop::queue_full)] == 2);
  w.connect(2, "d");
  CHECK(w.topic(2, "a/3") != 0);
}

TEST_CASE("beyond the bound of sessions the longest silent one gives way") {
  World w({.sessions = 2});
  w.connect(1, "old", false, 10);
  w.subscribe(1, "t");
  w.advance(60s);
  w.connect(2, "b", false, 600);
  w.connect(3, "c", false, 600);
  CHECK(w.core.find("old") == nullptr);
  CHECK(w.core.find("b") != nullptr);
  CHECK(w.saved.count("old") == 0);
  CHECK(w.upstream == Texts{"+t", "-t"});
}
