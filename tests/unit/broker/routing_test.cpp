#include "daemon/broker/routing.h"

#include <catch2/catch.hpp>

#include "unit/broker/fakes.h"

using namespace aiot;
using namespace aiot::broker;
using namespace std::chrono_literals;

namespace {

using Heard = std::vector<std::string>;

struct World {
  NodeTable table;
  RecordingHub hub;
  RecordingEvents events;
  Counters counters;
  RecordingRecords records;
  Routing routing{table, hub, events, records, counters};
  Now now{TimePoint(1h), WallTime(1700000000000ms)};
  FakeLink link_a, link_b;

  GatewayRecord& connect(const std::string& name, FakeLink& link, const std::string& site = "site") {
    return routing.connected({name, site, "s", "test", "peer", link.native}, link, now);
  }
  void apply(GatewayRecord& gateway, std::vector<wire::Item> items) { routing.apply(gateway, items, now); }
  wire::Item joined(const std::string& uid) { return wire::NodeJoined{uid, "CoAP", "192.0.2.1", {}}; }
  void pass(Duration by) {
    now.mono += by;
    now.wall += std::chrono::duration_cast<std::chrono::milliseconds>(by);
  }
  std::uint64_t dropped(Drop why) { return counters.dropped[static_cast<std::size_t>(why)]; }
};

}  // namespace

TEST_CASE("a new node is told in order, a repeated join not at all, a new address by itself") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n"), update("n", "led", "0")});
  CHECK(w.hub.take() == Heard{"joined n", "n at 192.0.2.1", "n speaks CoAP", "n/led=0"});
  w.apply(a, {w.joined("n")});
  CHECK(w.hub.take().empty());
  w.apply(a, {wire::NodeJoined{"n", "CoAP", "192.0.2.2", {}}});
  CHECK(w.hub.take() == Heard{"n at 192.0.2.2"});
}

TEST_CASE("every live update is told, changed or not") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n"), update("n", "led", "0"), update("n", "led", "0")});
  CHECK(w.hub.take().size() == 5);
  CHECK(w.counters.received[0] == 2);
  CHECK(w.counters.stored[0] == 2);
}

TEST_CASE("a node that is out comes back with its next update, told whole") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n"), update("n", "led", "0"), wire::NodeOut{"n", {}}, wire::NodeOut{"n", {}}});
  CHECK(w.hub.take().back() == "gone n");
  CHECK(w.table.find("n")->state == NodeState::out);
  w.apply(a, {update("n", "led", "1")});
  CHECK(w.hub.take() == Heard{"joined n", "n at 192.0.2.1", "n speaks CoAP", "n/led=1"});
}

TEST_CASE("a reset tells reset, address and protocol again") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n")});
  w.hub.take();
  w.apply(a, {wire::NodeReset{"n", {}, {}, {}}});
  CHECK(w.hub.take() == Heard{"restarted n", "n at 192.0.2.1", "n speaks CoAP"});
  w.apply(a, {wire::NodeReset{"n", "CoAP", "192.0.2.2", {}}});
  CHECK(w.hub.take() == Heard{"restarted n", "n at 192.0.2.2", "n speaks CoAP"});
  w.apply(a, {wire::NodeReset{"new", "CoAP", "192.0.2.3", {}}});
  CHECK(w.hub.take() == Heard{"joined new", "new at 192.0.2.3", "new speaks CoAP"});
}

TEST_CASE("a gateway that disappears makes its nodes stale, and only its own") {
  World w;
  auto& a = w.connect("a", w.link_a);
  auto& b = w.connect("b", w.link_b);
  w.apply(a, {w.joined("n")});
  w.apply(b, {w.joined("m")});
  w.hub.take();
  w.routing.disconnected(a, w.link_a);
  CHECK(w.hub.take() == Heard{"gone n"});
  CHECK(w.table.find("n")->state == NodeState::stale);
  CHECK(w.table.find("m")->state == NodeState::live);
  CHECK(w.events.types.back() == "gateway_down");
}

TEST_CASE("a sync revives nodes, tells what clients lack, and puts out what it leaves away") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n"), update("n", "led", "0"), update("n", "t", "1"), w.joined("m")});
  const wire::NodeSnapshot n{"n", "CoAP", "192.0.2.1",
                             {},  {},     {update("", "led", "0"), update("", "t", "2")}};

  SECTION("while they are live only what changed is told") {
    w.hub.take();
    w.routing.sync(a, {{n}, false}, true, w.now);
    CHECK(w.hub.take() == Heard{"n/t=2"});
    w.routing.sync(a, {{}, true}, false, w.now);
    CHECK(w.hub.take() == Heard{"gone m"});
    CHECK(w.table.find("m")->state == NodeState::out);
  }
  SECTION("after a disconnection all of it is told") {
    w.routing.disconnected(a, w.link_a);
    w.hub.take();
    auto& again = w.connect("a", w.link_b);
    w.routing.sync(again, {{n}, true}, true, w.now);
    CHECK(w.hub.take() == Heard{"joined n", "n at 192.0.2.1", "n speaks CoAP", "n/led=0", "n/t=2"});
    CHECK(w.table.find("m")->state == NodeState::out);
  }
}

TEST_CASE("of two gateways with one name the newer wins and the nodes stay") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n")});
  w.hub.take();
  auto& newer = w.connect("a", w.link_b);
  CHECK(&newer == &a);
  CHECK(w.link_a.was_replaced);
  CHECK(w.events.types == Heard{"gateway_up", "joined", "name_conflict", "gateway_up"});
  w.routing.disconnected(a, w.link_a);  // the old connection ends afterwards
  CHECK(w.table.find("n")->state == NodeState::live);
  CHECK(w.hub.take().empty());
}

TEST_CASE("a node is refused to a newcomer while its owner hears it") {
  World w;
  auto& a = w.connect("a", w.link_a);
  auto& b = w.connect("b", w.link_b);
  w.apply(a, {w.joined("n"), update("n", "led", "a")});
  w.pass(60s);
  w.apply(b,
          {w.joined("n"), update("n", "led", "b"), wire::NodeOut{"n", {}}, wire::NodeReset{"n", {}, {}, {}}});
  CHECK(w.link_b.refused == Heard{"n", "n", "n"});
  CHECK(w.dropped(Drop::not_owner) == 1);
  CHECK(w.table.find("n")->owner == &a);
  CHECK(w.table.find("n")->find("led")->bytes == "a");
  CHECK(w.table.find("n")->state == NodeState::live);
}

TEST_CASE("a node goes over when its owner is gone, has sent out, or was silent on it for a minute") {
  World w;
  auto& a = w.connect("a", w.link_a);
  auto& b = w.connect("b", w.link_b);
  w.apply(a, {w.joined("n")});
  SECTION("disconnected") { w.routing.disconnected(a, w.link_a); }
  SECTION("sent out") { w.apply(a, {wire::NodeOut{"n", {}}}); }
  SECTION("silent") { w.pass(61s); }
  w.hub.take();
  w.apply(b, {w.joined("n")});
  CHECK(w.table.find("n")->owner == &b);
  CHECK(w.table.find("n")->state == NodeState::live);
  CHECK(std::count(w.events.types.begin(), w.events.types.end(), "node_handed_over") == 1);
  CHECK(b.nodes == 1);
}

TEST_CASE("gateways of the site are told when a node has lost its owner") {
  World w;
  auto& a = w.connect("a", w.link_a);
  SECTION("of its site") {
    w.connect("b", w.link_b);
    w.apply(a, {w.joined("n"), w.joined("m")});
    w.apply(a, {wire::NodeOut{"n", {}}, wire::NodeOut{"n", {}}});
    CHECK(w.link_b.free == Heard{"n"});
    SECTION("by a sync without it") { w.routing.sync(a, {{}, true}, true, w.now); }
    SECTION("by its gateway's going") { w.routing.disconnected(a, w.link_a); }
    CHECK(w.link_b.free == Heard{"n", "m"});
  }
  SECTION("and no others") {
    w.connect("b", w.link_b, "elsewhere");
    w.apply(a, {w.joined("n"), wire::NodeOut{"n", {}}});
    CHECK(w.link_b.free.empty());
  }
  CHECK(w.link_a.free.empty());
}

TEST_CASE("nothing is handed over between sites until the node is forgotten") {
  World w;
  auto& a = w.connect("a", w.link_a, "one");
  auto& b = w.connect("b", w.link_b, "two");
  w.apply(a, {w.joined("n")});
  SECTION("silent") { w.pass(10min); }
  SECTION("sent out") { w.apply(a, {wire::NodeOut{"n", {}}}); }
  SECTION("disconnected") { w.routing.disconnected(a, w.link_a); }
  w.apply(b, {w.joined("n")});
  CHECK(w.table.find("n")->owner == &a);
  CHECK(w.link_b.refused == Heard{"n"});
  CHECK(w.routing.forget("n"));
  w.apply(b, {w.joined("n")});
  CHECK(w.table.find("n")->owner == &b);
}

TEST_CASE("answers to the broker's question tell clients only what they lack") {
  World w;
  w.link_a.native = false;
  auto& a = w.connect("a", w.link_a, "");
  w.routing.node_new(a, "n", true, w.now);
  w.routing.node_value(a, "n", Resource{"ip", "192.0.2.1", {}, {}, false, false, false}, true, w.now);
  w.routing.node_value(a, "n", Resource{"led", "0", {}, {}, false, false, false}, true, w.now);
  CHECK(w.hub.take() == Heard{"joined n", "n at 192.0.2.1", "n/led=0"});
  CHECK(w.table.find("n")->resources.size() == 1);
  CHECK(w.counters.received == decltype(w.counters.received){});
  w.routing.node_new(a, "n", true, w.now);
  w.routing.node_value(a, "n", Resource{"ip", "192.0.2.1", {}, {}, false, false, false}, true, w.now);
  w.routing.node_value(a, "n", Resource{"led", "0", {}, {}, false, false, false}, true, w.now);
  CHECK(w.hub.take().empty());
  w.routing.node_value(a, "n", Resource{"led", "0", {}, {}, false, false, false}, false, w.now);
  CHECK(w.hub.take() == Heard{"n/led=0"});
}

TEST_CASE("pyaiot gateways get names of their own by address, and the same again when they return") {
  World w;
  CHECK(w.routing.free_name("pyaiot-10.0.0.1") == "pyaiot-10.0.0.1");
  auto& a = w.connect("pyaiot-10.0.0.1", w.link_a);
  CHECK(w.routing.free_name("pyaiot-10.0.0.1") == "pyaiot-10.0.0.1-2");
  w.apply(a, {w.joined("n")});
  w.routing.disconnected(a, w.link_a);
  CHECK(w.routing.free_name("pyaiot-10.0.0.1") == "pyaiot-10.0.0.1");
}

TEST_CASE("a forgotten node of a connected gateway is out of sight until it speaks") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n"), update("n", "led", "0")});
  w.hub.take();
  CHECK(w.routing.forget("n"));
  CHECK(w.hub.take() == Heard{"gone n"});
  CHECK_FALSE(w.routing.forget("n"));
  CHECK_FALSE(w.routing.forget("unknown"));
  w.apply(a, {update("n", "led", "1")});
  CHECK(w.hub.take() == Heard{"joined n", "n at 192.0.2.1", "n speaks CoAP", "n/led=1"});
}

TEST_CASE("a forgotten node of a gone gateway is removed, and the gateway with its last") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n")});
  w.routing.disconnected(a, w.link_a);
  CHECK(w.table.gateways().size() == 1);
  CHECK(w.routing.forget("n"));
  CHECK(w.table.find("n") == nullptr);
  CHECK(w.table.gateways().empty());
  CHECK(w.table.bytes() == 0);
}

TEST_CASE("a node has a bounded number of resources, and what is over is counted") {
  World w;
  auto& a = w.connect("a", w.link_a);
  for (std::size_t i = 0; i < kMaxResourcesPerNode + 3; ++i) {
    w.apply(a, {update("n", fmt::format("r{}", i), "x")});
  }
  CHECK(w.table.find("n")->resources.size() == kMaxResourcesPerNode);
  CHECK(w.dropped(Drop::table_full) == 3);
}

TEST_CASE("the table's bytes are bounded, and an update that fits in place of a longer one still goes") {
  World w;
  auto& a = w.connect("a", w.link_a);
  const std::string large(kMaxValue, 'x');
  std::size_t stored = 0;
  for (int node = 0; w.dropped(Drop::table_full) == 0; ++node) {
    for (int i = 0; i < 1000 && w.dropped(Drop::table_full) == 0; ++i, ++stored) {
      w.apply(a, {update(fmt::format("n{}", node), fmt::format("r{}", i), large)});
    }
  }
  CHECK(w.table.bytes() <= kMaxTableBytes);
  CHECK(stored > 4000);
  w.apply(a, {update("n0", "r0", "short")});
  CHECK(w.table.find("n0")->find("r0")->bytes == "short");
}

TEST_CASE("slots are used again and their block is marked") {
  World w;
  auto& a = w.connect("a", w.link_a);
  for (int i = 0; i < 130; ++i) w.apply(a, {w.joined(fmt::format("n{}", i))});
  const auto before = w.table.block_versions();
  CHECK(before.size() == 3);
  w.apply(a, {wire::NodeOut{"n70", {}}});
  w.routing.forget("n70");
  const auto& now = w.table.block_versions();
  CHECK(now[0] == before[0]);
  CHECK(now[1] != before[1]);
  CHECK(now[2] == before[2]);
  const auto serial = w.table.find("n71")->serial;
  w.apply(a, {w.joined("new")});
  CHECK(w.table.find("new")->slot == 70);
  CHECK(w.table.find("new")->serial > serial);
}

TEST_CASE("an update without a time has the broker's") {
  World w;
  auto& a = w.connect("a", w.link_a);
  auto timed = update("n", "t", "1");
  timed.time = WallTime(5ms);
  w.apply(a, {update("n", "led", "0"), timed});
  CHECK(w.table.find("n")->find("led")->time == w.now.wall);
  CHECK(w.table.find("n")->find("t")->time == WallTime(5ms));
}

TEST_CASE("what is told ahead of its number is seen but neither counted nor kept; a replay is the reverse") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n"), update("n", "t", "1")});
  w.hub.take();
  const std::vector<wire::Item> shown = {update("n", "t", "3")};
  w.routing.show(a, shown, w.now);
  CHECK(w.hub.take() == Heard{"n/t=3"});
  CHECK(w.counters.received[0] == 1);
  CHECK(w.records.kept == Heard{"n/t=1"});
  const std::vector<wire::Item> past = {update("n", "t", "2"), update("n", "t", "3"), wire::NodeOut{"n", {}},
                                        wire::NodeJoined{"n", "CoAP", "192.0.2.9", {}}};
  w.routing.replay(a, past, w.now);
  CHECK(w.hub.take().empty());
  CHECK(w.table.find("n")->find("t")->bytes == "3");
  CHECK(w.table.find("n")->address == "192.0.2.1");
  CHECK(w.table.find("n")->state == NodeState::live);
  CHECK(w.counters.received[0] == 3);
  CHECK(w.counters.stored[0] == 3);
  CHECK(w.records.kept == Heard{"n/t=1", "n/t=2", "n/t=3"});
  CHECK(w.events.types == Heard{"gateway_up", "joined", "out", "joined"});
}

TEST_CASE(
    "a replay of a node that went over within its site is history; one of another site's node is refused") {
  World w;
  auto& a = w.connect("a", w.link_a);
  auto& b = w.connect("b", w.link_b, "elsewhere");
  w.apply(a, {w.joined("n"), update("n", "t", "1")});
  const std::vector<wire::Item> past = {update("n", "t", "9"), update("m", "t", "1")};
  w.routing.replay(b, past, w.now);
  CHECK(w.link_b.refused == Heard{"n"});
  CHECK(w.dropped(Drop::not_owner) == 1);
  CHECK(w.records.kept == Heard{"n/t=1", "m/t=1"});
  CHECK(w.table.find("m")->state == NodeState::out);  // it is not here now
}

TEST_CASE("a node's resets, timeouts and refusals are counted, and its events told once each") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n"), w.joined("n"), wire::NodeReset{"n", "CoAP", "192.0.2.1", {}},
              wire::NodeOut{"n", {}}, wire::NodeOut{"n", {}}});
  CHECK(w.events.types == Heard{"gateway_up", "joined", "reset", "out"});
  w.routing.request_failed("n", Error{Errc::timeout, "", 0, Outcome::unknown});
  w.routing.request_failed("n", Error{Errc::rejected, "", 405, Outcome::rejected});
  w.routing.request_failed("n", Error{Errc::unreachable, "", 0, Outcome::not_sent});
  const Node& node = *w.table.find("n");
  CHECK(node.resets == 1);
  CHECK(node.timeouts == 1);
  CHECK(node.rejected_writes == 1);
}

TEST_CASE("labels are set, changed and taken away, and kept in order") {
  World w;
  auto& a = w.connect("a", w.link_a);
  w.apply(a, {w.joined("n")});
  CHECK(w.routing.label("n", {{"room", "kitchen"}, {"floor", "1"}}));
  CHECK(w.routing.label("n", {{"room", "bath"}, {"floor", ""}, {"none", ""}, {"a", "b"}}));
  CHECK(w.table.find("n")->labels ==
        std::vector<std::pair<std::string, std::string>>{{"a", "b"}, {"room", "bath"}});
  CHECK_FALSE(w.routing.label("m", {{"a", "b"}}));
}

TEST_CASE("a gateway has a bounded number of nodes, and others are not touched") {
  NodeTable table(2);
  RecordingHub hub;
  RecordingEvents events;
  Counters counters;
  RecordingRecords records;
  Routing routing(table, hub, events, records, counters);
  FakeLink link_a, link_b;
  const Now now{TimePoint(1h), WallTime(1700000000000ms)};
  auto& a = routing.connected({"a", "site", "s", "test", "peer", true}, link_a, now);
  auto& b = routing.connected({"b", "other", "s", "test", "peer", true}, link_b, now);
  for (const auto* uid : {"n1", "n2", "n3"})
    routing.apply(a, std::vector<wire::Item>{wire::NodeJoined{uid, "CoAP", "192.0.2.1", {}}}, now);
  routing.apply(a, std::vector<wire::Item>{update("n3", "led", "0"), update("n1", "led", "0")}, now);
  routing.apply(b, std::vector<wire::Item>{wire::NodeJoined{"n4", "CoAP", "192.0.2.4", {}}}, now);
  CHECK(a.nodes == 2);
  CHECK(table.find("n3") == nullptr);
  CHECK(table.find("n4") != nullptr);
  CHECK(records.kept == std::vector<std::string>{"n1/led=0"});
  CHECK(counters.dropped[static_cast<std::size_t>(Drop::table_full)] == 1);
}
