#include <algorithm>
#include <catch2/catch.hpp>

#include "integration/gateway_support.h"

using namespace aiot;
using namespace aiot::test;

TEST_CASE("A node joins, is read, posts and is written, and the broker hears it in order") {
  Stage stage;
  FakeBroker broker(stage.loop());
  RunningGateway running(stage, broker);
  CHECK(broker.tokens.at(0) == "Bearer token");
  CHECK(broker.hellos.at(0).name == "test");
  CHECK(broker.hellos.at(0).site == "test");

  Device device(stage.loop(), "127.0.2.1", running.address);
  device.post("alive", "alive:n1");
  REQUIRE(stage.run_until([&] { return broker.has("n1 name=lamp"); }));
  CHECK(broker.log == std::vector<std::string>{"synced", "joined n1 127.0.2.1", "n1 led=0", "n1 name=lamp"});
  REQUIRE(device.replies.size() == 1);
  CHECK(device.replies[0].code == coap::code(2, 4));
  CHECK(device.replies[0].payload == "Received 'alive:n1'");
  CHECK(device.asked == std::vector<std::string>{"GET .well-known/core", "GET led", "GET name"});

  device.post("server",
              "temperature:23\xC2\xB0"
              "C",
              coap::Type::non);
  REQUIRE(stage.run_until([&] { return device.replies.size() == 2; }));
  CHECK(device.replies[1].type == coap::Type::non);
  REQUIRE(stage.run_until([&] {
    return broker.has(
        "n1 temperature=23\xC2\xB0"
        "C");
  }));

  wire::Ask ask;
  ask.id = 5;
  ask.uid = "n1";
  ask.resource = "led";
  ask.payload = "1";
  broker.send(ask);
  REQUIRE(stage.run_until([&] { return !broker.answers.empty(); }));
  CHECK(broker.answers[0].id == 5);
  CHECK(broker.answers[0].code == "2.04");
  CHECK(broker.answers[0].confirmed == "device");
  CHECK_FALSE(broker.answers[0].error);
  CHECK(broker.log.back() == "n1 led=1");
  CHECK(device.resources["led"] == "1");

  ask.id = 6;
  ask.resource = "nothing";
  broker.send(ask);
  REQUIRE(stage.run_until([&] { return broker.answers.size() == 2; }));
  REQUIRE(broker.answers[1].error);
  CHECK(broker.answers[1].error->outcome == Outcome::rejected);
  CHECK(broker.answers[1].code == "4.04");

  stage.run_until([&] { return running.gateway->counters().uplink.queued == 0; });
  const auto counters = running.gateway->counters();
  CHECK(counters.uplink.sent == 5);
  CHECK(counters.uplink.acknowledged == 5);
  CHECK(counters.nodes.nodes_live == 1);
  CHECK(counters.nodes.discoveries == 1);
}

TEST_CASE(
    "Nodes that answer discovery with 4.04, garbage or nothing are known, and others are not disturbed") {
  Stage stage;
  FakeBroker broker(stage.loop());
  RunningGateway running(stage, broker);
  using Manner = Device::Manner;
  Device lost(stage.loop(), "127.0.2.1", running.address, Manner::not_found);
  Device mad(stage.loop(), "127.0.2.2", running.address, Manner::garbage);
  Device mute(stage.loop(), "127.0.2.3", running.address, Manner::silent);
  Device good(stage.loop(), "127.0.2.4", running.address);
  mute.post("alive", "alive:mute");
  lost.post("alive", "alive:lost");
  mad.post("alive", "alive:mad");
  good.post("alive", "alive:good");
  REQUIRE(stage.run_until([&] { return broker.has("good name=lamp"); }, 3s));
  for (auto* device : {&lost, &mad, &mute}) device->post("server", "t:1");
  REQUIRE(stage.run_until(
      [&] { return broker.has("lost t=1") && broker.has("mad t=1") && broker.has("mute t=1"); }, 3s));
  CHECK(running.gateway->counters().nodes.discoveries_failed == 2);
  for (auto* device : {&lost, &mad, &mute}) {
    CHECK(std::all_of(device->replies.begin(), device->replies.end(),
                      [](const coap::Message& reply) { return reply.code == coap::code(2, 4); }));
  }
}

TEST_CASE(
    "While the broker is away everything is kept: its newest goes out first on its return, then all in "
    "order") {
  Stage stage;
  auto broker = std::make_unique<FakeBroker>(stage.loop());
  gateway::Options options;
  options.broker_url = broker->url();
  RunningGateway running(stage, options);
  Device device(stage.loop(), "127.0.2.1", running.address);
  REQUIRE(stage.run_until([&] { return broker->has("synced"); }));
  device.post("alive", "alive:n1");
  REQUIRE(stage.run_until([&] { return broker->has("n1 name=lamp"); }));
  const auto port = broker->port();
  const auto stored = broker->last_sequence;
  broker->shut_down(stage);
  broker.reset();
  REQUIRE(stage.run_until([&] { return !running.gateway->counters().uplink.connected; }));

  for (int i = 0; i < 20; ++i) device.post("server", "t:" + std::to_string(i));
  REQUIRE(stage.run_until([&] { return device.replies.size() == 21; }));
  for (const auto& reply : device.replies) CHECK(reply.code == coap::code(2, 4));
  const auto posted = stage.loop().wall_now();
  stage.run_for(300ms);

  FakeBroker back(stage.loop(), port);
  back.replays = true;
  back.last_sequence = stored;
  REQUIRE(stage.run_until([&] { return back.has("synced"); }));
  REQUIRE(back.synced.size() == 1);
  CHECK(back.synced[0].uid == "n1");
  CHECK(back.synced[0].address == "127.0.2.1");
  REQUIRE(back.synced[0].values.size() == 3);
  CHECK(back.synced[0].values[2].bytes == "19");
  CHECK(back.synced[0].values[2].time <= posted);
  REQUIRE(stage.run_until([&] { return back.has("replay n1 t=19"); }));
  std::vector<std::string> values;
  for (const auto& line : back.log)
    if (line.find(" t=") != std::string::npos) values.push_back(line);
  REQUIRE(values.size() == 20);
  for (int i = 0; i < 20; ++i)
    CHECK(values[static_cast<std::size_t>(i)] == "replay n1 t=" + std::to_string(i));
  device.post("server", "t:20");
  REQUIRE(stage.run_until([&] { return back.has("n1 t=20"); }));
  REQUIRE(stage.run_until([&] { return running.gateway->counters().uplink.queued == 0; }));
  const auto c = running.gateway->counters().uplink;
  CHECK(c.sent == c.acknowledged);
}

TEST_CASE("A broker that refuses the token is asked again only slowly") {
  Stage stage;
  FakeBroker broker(stage.loop());
  broker.refuse = true;
  gateway::Options options;
  options.broker_url = broker.url();
  RunningGateway running(stage, options);
  REQUIRE(stage.run_until([&] { return broker.upgrades == 1; }));
  stage.run_for(3s);
  CHECK(broker.upgrades == 1);
}

TEST_CASE("A gateway whose name another one has taken does not fight for it") {
  Stage stage;
  FakeBroker broker(stage.loop());
  RunningGateway running(stage, broker);
  broker.send(wire::Failure{"name_conflict", "another gateway connected with this name"});
  broker.close(1008);
  REQUIRE(stage.run_until([&] { return !running.gateway->counters().uplink.connected; }));
  stage.run_for(3s);
  CHECK(broker.upgrades == 1);
}

TEST_CASE("A broker that drops every connection is not hammered") {
  Stage stage;
  FakeBroker broker(stage.loop());
  gateway::Options options;
  options.broker_url = broker.url();
  RunningGateway running(stage, options);
  std::ptrdiff_t dropped = 0;
  stage.run_until(
      [&] {
        if (broker.count("synced") > dropped) {
          ++dropped;
          broker.drop();
        }
        return false;
      },
      4s);
  CHECK(broker.upgrades >= 2);
  CHECK(broker.upgrades <= 6);
}

TEST_CASE("A broker that is not there at first is found when it comes") {
  Stage stage;
  std::uint16_t port = 0;
  {
    FakeBroker broker(stage.loop());
    port = broker.port();
    broker.shut_down(stage);
  }
  gateway::Options options;
  options.broker_url = "ws://127.0.0.1:" + std::to_string(port);
  RunningGateway running(stage, options);
  Device device(stage.loop(), "127.0.2.1", running.address);
  device.post("alive", "alive:n1");
  REQUIRE(stage.run_until([&] { return device.asked.size() == 3; }));
  FakeBroker broker(stage.loop(), port);
  REQUIRE(stage.run_until([&] { return broker.has("synced"); }));
  REQUIRE(broker.synced.size() == 1);
  CHECK(broker.synced[0].values.size() == 2);
}

TEST_CASE("After a restart a node's posts count at once, without a new alive") {
  Stage stage;
  const TemporaryFolder folder;
  SocketAddress address = *SocketAddress::parse("127.0.0.1:5683");
  gateway::Options options;
  options.state_dir = folder.path;
  options.coap = address;
  {
    RunningGateway running(stage, options);
    Device device(stage.loop(), "127.0.2.1", running.address);
    device.post("alive", "alive:n1");
    REQUIRE(stage.run_until([&] { return running.gateway->counters().nodes.discoveries == 1; }));
  }
  FakeBroker broker(stage.loop());
  options.broker_url = broker.url();
  RunningGateway running(stage, options);
  Device device(stage.loop(), "127.0.2.1", running.address);
  REQUIRE(stage.run_until([&] { return broker.has("synced"); }));
  REQUIRE(broker.synced.size() == 1);
  CHECK(broker.synced[0].values.size() == 2);
  device.post("server", "t:1");
  REQUIRE(stage.run_until([&] { return broker.has("n1 t=1"); }));
  CHECK(device.replies.at(0).code == coap::code(2, 4));
  CHECK(device.asked.empty());
}

TEST_CASE("A node behind a NAT is read and written through the port it speaks from") {
  Stage stage;
  FakeBroker broker(stage.loop());
  gateway::Options options;
  SECTION("on one address") {}
  SECTION("on all") { options.coap = *SocketAddress::parse("[::]:5700"); }
  RunningGateway running(stage, broker, options);
  const auto gateway_address =
      running.address.is_any() ? *SocketAddress::parse("127.0.0.1:5700") : running.address;
  Device device(stage.loop(), "127.0.2.1", gateway_address);
  device.hide_server();
  device.post("alive", "alive:n1");
  REQUIRE(stage.run_until([&] { return broker.has("n1 name=lamp"); }));
  wire::Ask ask;
  ask.uid = "n1";
  ask.resource = "led";
  ask.payload = "1";
  broker.send(ask);
  REQUIRE(stage.run_until([&] { return !broker.answers.empty(); }));
  CHECK_FALSE(broker.answers[0].error);
  CHECK(broker.has("n1 led=1"));
  // A NAT lets only the gateway's own port back in.
  for (const auto& from : device.asked_from) CHECK(from == gateway_address);
}

TEST_CASE("A known uid at a new address moves when the old one is silent, and not when it answers") {
  Stage stage;
  FakeBroker broker(stage.loop());
  RunningGateway running(stage, broker);
  Device first(stage.loop(), "127.0.2.1", running.address);
  Device second(stage.loop(), "127.0.2.2", running.address);
  first.post("alive", "alive:n1");
  REQUIRE(stage.run_until([&] { return broker.has("n1 name=lamp"); }));
  second.post("alive", "alive:n1");
  REQUIRE(stage.run_until([&] { return broker.has("notice uid_conflict"); }));
  second.post("server", "t:1");
  REQUIRE(stage.run_until([&] { return second.replies.size() == 2; }));
  CHECK(second.replies[1].code == coap::code(4, 4));

  Device third(stage.loop(), "127.0.2.3", running.address);
  first.manner = Device::Manner::silent;
  third.post("alive", "alive:n1");
  REQUIRE(stage.run_until([&] { return broker.has("joined n1 127.0.2.3"); }, 6s));
  third.post("server", "t:2");
  REQUIRE(stage.run_until([&] { return broker.has("n1 t=2"); }));
}

TEST_CASE("Nodes of networks that are not admitted are answered 4.03") {
  Stage stage;
  gateway::Options options;
  options.allow = {"127.0.2.0/24"};
  RunningGateway running(stage, options);
  Device inside(stage.loop(), "127.0.2.1", running.address),
      outside(stage.loop(), "127.0.3.1", running.address);
  inside.post("alive", "alive:a");
  outside.post("alive", "alive:b");
  REQUIRE(stage.run_until([&] { return inside.replies.size() == 1 && outside.replies.size() == 1; }));
  CHECK(inside.replies[0].code == coap::code(2, 4));
  CHECK(outside.replies[0].code == coap::code(4, 3));
  CHECK(running.gateway->counters().nodes.dropped[static_cast<std::size_t>(gateway::Drop::not_allowed)] == 1);
}

TEST_CASE("The window bounds what is under way, and every item is accounted for") {
  Stage stage;
  FakeBroker broker(stage.loop());
  broker.acknowledges = false;
  broker.window = 50;
  RunningGateway running(stage, broker);
  Device device(stage.loop(), "127.0.2.1", running.address, Device::Manner::not_found);
  device.post("alive", "alive:n1");
  std::size_t answered = 1;
  for (int i = 0; i < 500; ++i) {
    device.post("server", "t:" + std::to_string(i));
    ++answered;
    if (i % 50 == 49) REQUIRE(stage.run_until([&] { return device.replies.size() == answered; }));
  }
  stage.run_for(50ms);
  CHECK(broker.items == 50);
  auto c = running.gateway->counters().uplink;
  CHECK(c.sent == 501);
  CHECK(c.queued == 501);
  broker.acknowledges = true;
  broker.send(wire::Ack{broker.last_sequence});
  REQUIRE(stage.run_until([&] { return broker.has("n1 t=499"); }));
  REQUIRE(stage.run_until([&] { return running.gateway->counters().uplink.queued == 0; }));
  c = running.gateway->counters().uplink;
  CHECK(c.sent == c.acknowledged);
  CHECK(broker.items == 501);
}

TEST_CASE("Wrong options are refused with what is wrong") {
  Stage stage;
  const auto message = [&](gateway::Options options) {
    options.name = "test";
    auto gateway = gateway::Gateway::make(stage.loop(), std::move(options));
    auto started = gateway->start();
    return started ? std::string() : started.error().message;
  };
  gateway::Options options;
  options.allow = {"not a network"};
  CHECK(message(options).find("not a network") != std::string::npos);
  options = {};
  options.nodes = {"http://x"};
  CHECK(message(options).find("http://x") != std::string::npos);
  options = {};
  options.broker_url = "ftp://x";
  CHECK_FALSE(message(options).empty());
  options = {};
  options.broker_url = "ws://127.0.0.1:1";
  options.key_file = "/nonexistent/keys";
  CHECK(message(options).find("/nonexistent/keys") != std::string::npos);
  options = {};
  options.coap = *SocketAddress::parse("127.0.0.1:0");
  RunningGateway running(stage, options);
  options.coap = running.address;
  CHECK(message(options).find("in use") != std::string::npos);
}
