#include "daemon/broker/followers.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

#include "core/loop/fake_loop.h"
#include "daemon/broker/feed.h"
#include "daemon/broker/follower_limits.h"
#include "unit/broker/fakes.h"

using namespace aiot;
using namespace aiot::broker;
using nlohmann::json;

namespace {

/// A client that takes what it is given, when it is told to.
struct Client final : Subscriber {
  std::size_t woken = 0;
  std::size_t bound = 1024 * 1024;
  void wake() override { ++woken; }
  [[nodiscard]] std::size_t share() const override { return bound; }
};

/// The payloads of unmasked frames.
std::vector<json> payloads(std::string_view frames) {
  std::vector<json> all;
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(frames[i]); };
  while (!frames.empty()) {
    REQUIRE(byte(0) == 0x81);
    std::size_t size = byte(1);
    std::size_t head = 2;
    for (const std::size_t longer : {size == 126 ? 2U : 0U, size == 127 ? 8U : 0U}) {
      if (longer == 0) continue;
      size = 0;
      for (head = 2; head < 2 + longer; ++head) size = size << 8U | byte(head);
    }
    all.push_back(json::parse(frames.substr(head, size)));
    frames.remove_prefix(head + size);
  }
  return all;
}

struct World {
  FakeLoop loop;
  NodeTable table;
  Counters counters;
  Followers followers{loop, table, counters};
  RecordingEvents events;
  Records records;
  Routing routing{table, followers, events, records, counters};
  FakeLink link;
  GatewayRecord& gateway = routing.connected({"paris", "s", "x", "t", "p", true}, link, {});
  Client client;

  void apply(std::vector<wire::Item> items) { routing.apply(gateway, items, {}); }
  std::unique_ptr<Subscription> subscribe(std::vector<std::string> nodes,
                                          std::vector<std::string> resources = {}, bool conflate = false,
                                          std::uint64_t id = 1) {
    wire::client_v1::Subscribe wanted;
    wanted.id = id;
    wanted.nodes = std::move(nodes);
    wanted.resources = std::move(resources);
    wanted.conflate = conflate;
    return followers.subscribe(wanted, client);
  }
  static std::vector<json> take(Subscription& subscription, std::size_t most = SIZE_MAX) {
    std::vector<json> all;
    while (all.size() < most) {
      const auto frames = subscription.peek();
      if (frames.empty()) break;
      for (auto& message : payloads(frames)) all.push_back(std::move(message));
      subscription.consume(frames.size());
    }
    return all;
  }
  /// What updates hold, as "n1/led=0" and "joined n1".
  static std::vector<std::string> items(Subscription& subscription) {
    std::vector<std::string> all;
    for (const json& message : take(subscription)) {
      if (message["type"] != "updates") continue;
      for (const json& item : message["items"]) {
        if (item.contains("event")) {
          all.push_back(item["event"].get<std::string>() + " " +
                        item.value("node", item.value("gateway", "")));
        } else {
          all.push_back(item["node"].get<std::string>() + "/" + item["resource"].get<std::string>() + "=" +
                        item["value"].get<std::string>());
        }
      }
    }
    return all;
  }
};

using Items = std::vector<std::string>;

}  // namespace

TEST_CASE("a subscription gets its snapshot, and then what happens after it") {
  World w;
  w.apply({update("n1", "led", "0"), update("n2", "led", "1")});
  auto all = w.subscribe({});
  w.apply({update("n1", "led", "2")});
  auto later = w.subscribe({});  // in the same turn
  const auto first = w.take(*all);
  REQUIRE(first.size() == 3);
  CHECK(first[0]["nodes"].size() == 2);
  CHECK(first[0]["nodes"][0]["values"][0]["value"] == "0");
  CHECK(first[1]["last"] == true);
  CHECK(first[2]["items"][0]["value"] == "2");
  const auto second = w.take(*later);
  REQUIRE(second.size() == 2);
  CHECK(second[0]["nodes"][0]["values"][0]["value"] == "2");
  w.followers.end(std::move(all));
  w.followers.end(std::move(later));
  CHECK(w.followers.queued_bytes() == 0);
}

TEST_CASE("a snapshot that is asked for again shows what has changed, and times too") {
  World w;
  w.apply({update("n1", "led", "0")});
  auto one = w.subscribe({});
  auto again = update("n1", "led", "0");
  again.time = WallTime(std::chrono::milliseconds(7));
  w.apply({again});
  auto two = w.subscribe({});
  CHECK(w.take(*one)[0]["nodes"][0]["values"][0]["time"] == 0);
  CHECK(w.take(*two)[0]["nodes"][0]["values"][0]["time"] == 7);
  w.followers.end(std::move(one));
  w.followers.end(std::move(two));
}

TEST_CASE("clients hear of labels and of statistics, where there are any") {
  World w;
  w.apply({update("n1", "led", "0")});
  auto all = w.subscribe({});
  const auto before = w.take(*all)[0]["nodes"][0];
  CHECK_FALSE(before.contains("labels"));
  CHECK_FALSE(before["stats"].contains("resets"));
  REQUIRE(w.routing.label("n1", {{"room", "hall"}}));
  w.table.find("n1")->resets = 3;
  auto changed = w.take(*all)[0]["items"][0];
  CHECK(changed["event"] == "changed");
  CHECK(changed["labels"] == json{{"room", "hall"}});
  auto later = w.subscribe({});
  const auto after = w.take(*later)[0]["nodes"][0];
  CHECK(after["labels"] == json{{"room", "hall"}});
  CHECK(after["stats"]["resets"] == 3);
  REQUIRE(w.routing.label("n1", {{"room", ""}}));
  changed = w.take(*all)[0]["items"][0];
  CHECK(changed["event"] == "changed");
  CHECK_FALSE(changed.contains("labels"));
  w.followers.end(std::move(all));
  w.followers.end(std::move(later));
}

TEST_CASE("a large node comes in several parts, each with its head") {
  World w;
  for (int i = 0; i < 20; ++i) w.apply({update("n1", "r" + std::to_string(i), std::string(40'000, 'x'))});
  for (const std::vector<std::string>& nodes : {std::vector<std::string>{}, {"n1"}, {"n*"}}) {
    auto all = w.subscribe(nodes);
    std::set<std::string> names;
    const auto parts = w.take(*all);
    CHECK(parts.size() == 4);
    for (const json& part : parts) {
      CHECK(part.dump().size() < kMaxSnapshotBytes + 100'000);
      for (const json& node : part["nodes"]) {
        CHECK(node["gateway"] == "paris");
        for (const json& value : node["values"]) CHECK(names.insert(value["resource"]).second);
      }
    }
    CHECK(names.size() == 20);
    w.followers.end(std::move(all));
  }
}

TEST_CASE("subscriptions with the same patterns and id share their batches") {
  World w;
  auto a = w.subscribe({"n*", "m"});
  auto b = w.subscribe({"m", "n*", "m"});
  auto c = w.subscribe({"m", "n*"}, {}, false, 2);
  const auto& one = dynamic_cast<FeedReader&>(*a);
  CHECK(&one.feed() == &dynamic_cast<FeedReader&>(*b).feed());
  CHECK(&one.feed() != &dynamic_cast<FeedReader&>(*c).feed());
  CHECK(&a->interest() == &c->interest());
  w.apply({update("n1", "led", "0"), update("x", "led", "0")});
  for (auto* each : {&a, &b, &c}) {
    CHECK(w.items(**each) == Items{"joined n1", "n1/led=0"});
    w.followers.end(std::move(*each));
  }
}

TEST_CASE("an interest finds nodes that are there, that come, and that come again in another's place") {
  World w;
  w.apply({update("n1", "led", "0"), update("m1", "led", "0")});
  auto named = w.subscribe({"n1", "late"}, {}, false, 1);
  auto globs = w.subscribe({"n*"}, {"t*"}, false, 2);
  auto everywhere = w.subscribe({}, {"temp"}, true, 3);
  w.apply({update("n1", "led", "1"), update("late", "temp", "2"), update("n2", "temp", "3"),
           update("m1", "temp", "4")});
  CHECK(w.items(*named) == Items{"n1/led=1", "joined late", "late/temp=2"});
  CHECK(w.items(*globs) == Items{"joined n2", "n2/temp=3"});
  CHECK(w.items(*everywhere) == Items{"joined late", "late/temp=2", "joined n2", "n2/temp=3", "m1/temp=4"});
  // Its slot is used again for a node of another name.
  w.apply({wire::NodeOut{"n2", {}}});
  w.routing.forget("n2");
  w.apply({update("other", "temp", "5"), update("n2", "temp", "6")});
  CHECK(w.items(*named).empty());
  CHECK(w.items(*globs) == Items{"out n2", "forgotten n2", "joined n2", "n2/temp=6"});
  // Interests that ended are not looked at any more; those that begin see nodes that are known.
  w.followers.end(std::move(globs));
  auto both = w.subscribe({"n1", "o*"}, {"*"}, false, 4);
  w.followers.end(std::move(named));
  w.apply({update("n1", "temp", "7"), update("other", "led", "8"), update("other", "a/b", "9")});
  CHECK(w.items(*both) == Items{"n1/temp=7", "other/led=8"});
  w.followers.end(std::move(both));
  w.followers.end(std::move(everywhere));
  w.apply({update("n1", "temp", "10")});
}

TEST_CASE("a reader beyond its bound goes on at the end and says what it missed") {
  World w;
  auto slow = w.subscribe({"n1"});
  auto quick = w.subscribe({"n1"});
  w.apply({update("n1", "v", "0")});
  CHECK(w.items(*slow).size() == 2);
  std::uint64_t sent = 1;
  std::uint64_t got = 0;
  for (int turn = 0; turn < 40; ++turn) {
    for (int i = 0; i < 10; ++i)
      w.apply({update("n1", "v", std::string(5000, 'x') + std::to_string(sent++))});
    got += w.items(*quick).size() - (turn == 0 ? 1 : 0);
  }
  CHECK(got == sent);
  w.apply({wire::NodeReset{"n1", {}, {}, {}}});
  std::uint64_t came = 1;
  std::uint64_t missed = 0;
  const auto messages = w.take(*slow);
  CHECK(messages.front()["type"] == "gap");
  CHECK(messages.front()["reason"] == "the client is slower than the updates");
  for (const json& message : messages) {
    if (message["type"] == "gap") missed += message["missed"].get<std::uint64_t>();
    if (message["type"] != "updates") continue;
    for (const json& item : message["items"]) came += item.contains("event") ? 0 : 1;
  }
  CHECK(missed > 0);
  CHECK(came + missed == sent);
  CHECK(w.counters.dropped[static_cast<std::size_t>(Drop::slow_client)] == missed);
  w.followers.end(std::move(slow));
  w.followers.end(std::move(quick));
  CHECK(w.counters.delivered == came + sent);
}

TEST_CASE("with conflation the newest value of each resource is kept, and the bound is the interest") {
  World w;
  auto dashboard = w.subscribe({}, {}, true);
  w.take(*dashboard);
  for (int i = 0; i < 1000; ++i)
    w.apply({update("n1", "a", std::to_string(i)), update("n1", "b", std::string(1000, 'b'))});
  CHECK(w.followers.queued_bytes() < 3000);
  CHECK(w.items(*dashboard) == Items{"joined n1", "n1/a=999", "n1/b=" + std::string(1000, 'b')});
  CHECK(w.counters.dropped[static_cast<std::size_t>(Drop::conflated)] == 1998);
  w.apply({update("n1", "a", "x")});
  CHECK(w.items(*dashboard) == Items{"n1/a=x"});
  w.followers.end(std::move(dashboard));
  CHECK(w.counters.delivered == 3);
}

TEST_CASE("with conflation a state is never told before one that it ended") {
  World w;
  w.apply({update("n1", "a", "0")});
  auto dashboard = w.subscribe({}, {}, true);
  w.take(*dashboard);
  const auto back = [&] {
    w.routing.connected({"paris", "s", "x", "t", "p", true}, w.link, {});
    w.apply({wire::NodeJoined{"n1", "CoAP", "192.0.2.1", {}}, update("n1", "a", "1")});
  };
  w.routing.disconnected(w.gateway, w.link);
  back();
  w.routing.disconnected(w.gateway, w.link);
  CHECK(w.items(*dashboard) == Items{"gateway_up paris", "joined n1", "n1/a=1", "gateway_down paris"});
  back();
  w.routing.disconnected(w.gateway, w.link);
  back();
  CHECK(w.items(*dashboard) == Items{"n1/a=1", "gateway_down paris", "gateway_up paris", "joined n1"});
  w.followers.end(std::move(dashboard));
}

TEST_CASE("who does not want events gets none") {
  World w;
  wire::client_v1::Subscribe wanted;
  wanted.events = false;
  auto plain = w.followers.subscribe(wanted, w.client);
  wanted.conflate = true;
  auto dashboard = w.followers.subscribe(wanted, w.client);
  w.apply({update("n1", "a", "0"), wire::NodeReset{"n1", {}, {}, {}}, wire::NodeOut{"n1", {}}});
  CHECK(w.items(*plain) == Items{"n1/a=0"});
  CHECK(w.items(*dashboard) == Items{"n1/a=0"});
  w.followers.end(std::move(plain));
  w.followers.end(std::move(dashboard));
}

TEST_CASE("a client is woken once for what a turn brings, and again for the next") {
  World w;
  auto all = w.subscribe({});
  w.take(*all);
  w.client.woken = 0;
  for (int i = 0; i < 100; ++i) w.apply({update("n1", "a", "0")});
  CHECK(w.client.woken == 1);
  const auto messages = w.take(*all);
  REQUIRE(messages.size() == 1);
  CHECK(messages[0]["items"].size() == 101);
  w.apply({update("n1", "a", "0")});
  CHECK(w.client.woken == 2);
  // However much there is, a batch has its bounds.
  for (int i = 0; i < 10'000; ++i) w.apply({update("n1", "a", "0")});
  for (const json& message : w.take(*all)) {
    CHECK(message["items"].size() <= kMaxUpdatesItems);
    CHECK(message.dump().size() <= kMaxUpdatesBytes + 1000);
  }
  w.followers.end(std::move(all));
}

TEST_CASE("snapshots are kept for the next clients for a while") {
  World w;
  w.apply({update("n1", "a", "0")});
  auto all = w.subscribe({});
  w.take(*all);
  CHECK(w.followers.queued_bytes() > 0);
  w.loop.advance(std::chrono::seconds(11));
  CHECK(w.followers.queued_bytes() == 0);
  w.followers.end(std::move(all));
}
