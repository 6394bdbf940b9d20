#include "daemon/gateway/outbox.h"

#include <catch2/catch.hpp>

#include "core/loop/fake_loop.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {

const WallTime kNow = std::chrono::sys_days(std::chrono::year(2026) / 6 / 1);

struct Boxed {
  FakeLoop loop;
  NodeTable table;
  Journal journal;
  Outbox box;
  explicit Boxed(OutboxLimits limits = {}, JournalOptions options = {})
      : journal(loop, std::move(options)), box(table, journal, limits) {
    REQUIRE(journal.open());
  }

  Node& node(const std::string& uid) {
    Node* node = table.find(uid);
    if (node == nullptr) {
      node = table.add(uid, 60s);
      table.place(*node, *SocketAddress::parse("192.0.2.1:5683"));
      table.revive(*node);
      box.item(wire::NodeJoined{uid, "CoAP", "192.0.2.1", kNow});
    }
    return *node;
  }
  void value(const std::string& uid, const std::string& name, const std::string& bytes) {
    Node& of = node(uid);
    if (of.find(name) == nullptr) of.resources.emplace_back().name = name;
    of.find(name)->bytes = bytes;
    of.find(name)->time = kNow;
    box.update(of, *of.find(name));
  }
  void out(const std::string& uid) {
    box.item(wire::NodeOut{uid, kNow});
    table.forget(*table.find(uid));
  }
  void open(std::uint64_t acknowledged, std::uint32_t window, bool replays = true) {
    (void)box.next_stream();
    box.opened(acknowledged, window, replays);
  }
  static std::string items(const std::vector<wire::Item>& items) {
    std::string line;
    for (const auto& item : items) {
      if (auto* update = std::get_if<Update>(&item)) line += " " + update->resource + "=" + update->bytes;
      if (auto* joined = std::get_if<wire::NodeJoined>(&item)) line += " joined " + joined->uid;
      if (auto* gone = std::get_if<wire::NodeOut>(&item)) line += " out " + gone->uid;
      if (std::holds_alternative<wire::Notice>(item)) line += " notice";
    }
    return line;
  }
  /// Everything that can leave now, as short text.
  std::vector<std::string> taken() {
    std::vector<std::string> out;
    journal.write();
    for (;;) {
      const auto text = box.take();
      if (text.empty()) return out;
      auto message = wire::parse_message(text);
      REQUIRE(message);
      if (auto* sync = std::get_if<wire::Sync>(&*message)) {
        std::string line = sync->last ? "last sync" : "sync";
        for (const auto& node : sync->nodes) {
          line += " " + node.uid;
          for (const auto& each : node.values) line += " " + each.resource + "=" + each.bytes;
        }
        out.push_back(line);
      } else if (auto* batch = std::get_if<wire::Batch>(&*message)) {
        out.push_back((batch->replay ? "replay " : "") + std::to_string(batch->first) + ":" +
                      items(batch->items));
      } else if (auto* live = std::get_if<wire::Live>(&*message)) {
        out.push_back("live:" + items(live->items));
      } else if (std::holds_alternative<wire::NextStream>(*message)) {
        out.emplace_back("stream");
      }
    }
  }
  void balanced() const {
    const auto c = box.counters();
    CHECK(c.sent + c.restored == c.acknowledged + c.queued + c.dropped);
  }
};

using Log = std::vector<std::string>;

std::string joined(const Log& log) {
  std::string all;
  for (const auto& line : log) all += line + ";";
  return all;
}

}  // namespace

TEST_CASE("What happens in one turn leaves as one batch, numbered on") {
  Boxed boxed;
  boxed.open(0, 100);
  CHECK(boxed.taken() == Log{"last sync"});
  boxed.value("n", "a", "1");
  boxed.value("n", "a", "2");
  CHECK(boxed.taken() == Log{"1: joined n a=1 a=2"});
  boxed.value("n", "b", "3");
  CHECK(boxed.taken() == Log{"4: b=3"});
  CHECK(boxed.taken().empty());
  CHECK(boxed.box.counters().queued == 4);
  boxed.box.acknowledged(3);
  CHECK(boxed.box.counters().acknowledged == 3);
  boxed.box.acknowledged(2);   // an old one
  boxed.box.acknowledged(99);  // one that was never sent
  CHECK(boxed.box.counters().acknowledged == 4);
  CHECK(boxed.box.counters().queued == 0);
  boxed.balanced();
}

TEST_CASE("A full window delays what fits no more, and loses nothing of it") {
  Boxed boxed;
  boxed.open(0, 2);
  boxed.taken();
  boxed.value("n", "a", "1");
  CHECK(boxed.taken() == Log{"1: joined n a=1"});  // the window is full
  boxed.value("n", "a", "2");
  boxed.value("n", "a", "3");
  boxed.value("n", "b", "4");
  CHECK(boxed.taken().empty());
  CHECK(boxed.box.in_flight() == 2);
  boxed.box.acknowledged(1);
  CHECK(boxed.taken() == Log{"3: a=2"});
  boxed.box.acknowledged(3);
  CHECK(boxed.taken() == Log{"4: a=3 b=4"});
  boxed.balanced();
  boxed.box.acknowledged(5);
  CHECK(boxed.box.counters().queued == 0);
  boxed.balanced();
}

TEST_CASE(
    "A connection that falls behind shows the newest values first, and everything in order for history") {
  OutboxLimits limits;
  limits.direct = 2;
  Boxed boxed(limits);
  boxed.open(0, 2);
  boxed.taken();
  boxed.value("n", "a", "1");
  CHECK(boxed.taken() == Log{"1: joined n a=1"});
  for (const auto* value : {"2", "3", "4", "5", "6"}) {
    boxed.value("n", "a", value);
    boxed.journal.write();
  }
  boxed.out("n");
  CHECK(boxed.taken().empty());
  boxed.box.acknowledged(2);
  const auto first = boxed.taken();
  INFO(joined(first));
  CHECK(first == Log{"3: a=2 a=3"});  // was too near to count as behind, so it is no replay
  boxed.box.acknowledged(4);
  const auto second = boxed.taken();
  INFO(joined(second));
  // What is now is shown once what came before it is through, and needs no room in the window.
  CHECK(second == Log{"5: a=4", "live: out n", "replay 6: a=5"});
  boxed.box.acknowledged(6);
  CHECK(boxed.taken() == Log{"replay 7: a=6 out n"});
  boxed.box.acknowledged(8);
  boxed.value("m", "b", "7");
  CHECK(boxed.taken() == Log{"9: joined m b=7"});  // it has caught up
  boxed.balanced();
}

TEST_CASE("What happened while the broker was away is shown as it is now, and replayed as it was") {
  Boxed boxed;
  boxed.value("n", "a", "1");
  boxed.value("n", "a", "2");
  boxed.value("m", "b", "3");
  boxed.value("gone", "c", "4");
  boxed.out("gone");
  boxed.box.item(wire::Notice{"uid_conflict", "n", "x", kNow});
  CHECK(boxed.taken().empty());
  boxed.balanced();
  boxed.open(0, 100);
  const auto log = boxed.taken();
  INFO(joined(log));
  REQUIRE(log.size() == 2);
  CHECK((log[0] == "last sync n a=2 m b=3" || log[0] == "last sync m b=3 n a=2"));
  CHECK(log[1] == "replay 1: joined n a=1 a=2 joined m b=3 joined gone c=4 out gone notice");
  boxed.balanced();
  boxed.box.acknowledged(9);
  CHECK(boxed.box.counters().queued == 0);
  boxed.balanced();
}

TEST_CASE("News is not kept waiting by a replay, and goes out in turns with it") {
  Boxed boxed;
  for (int i = 0; i < 5000; ++i) boxed.value("n", "a", std::to_string(i));
  boxed.open(0, 100'000);
  CHECK(boxed.box.take().find(R"("sync")") != std::string::npos);
  boxed.journal.write();
  std::size_t replays = 0;
  for (int i = 0; i < 3; ++i) {
    boxed.value("n", "a", "new");
    boxed.value("n", "a", "newer");
    boxed.journal.write();
    CHECK(boxed.box.take() ==
          wire::format_live(R"({"node":"n","resource":"a","value":"newer","time":1780272000000})"));
    auto message = wire::parse_message(boxed.box.take());
    REQUIRE(message);
    replays += std::get<wire::Batch>(*message).replay ? 1 : 0;
  }
  CHECK(replays == 3);
  CHECK(boxed.box.counters().conflated == 3);
  boxed.balanced();
}

TEST_CASE("A broker that knows no replay gets everything in order, and nothing twice") {
  Boxed boxed;
  boxed.value("n", "a", "1");
  boxed.value("n", "a", "2");
  boxed.open(0, 2, false);
  CHECK(boxed.taken() == Log{"last sync n a=2", "1: joined n a=1"});
  boxed.value("n", "a", "3");
  boxed.box.acknowledged(2);
  CHECK(boxed.taken() == Log{"3: a=2 a=3"});
  boxed.balanced();
}

TEST_CASE("What a lost connection left in doubt is sent again from where the broker says") {
  Boxed boxed;
  boxed.open(0, 100);
  boxed.taken();
  boxed.value("n", "a", "1");
  boxed.taken();
  boxed.value("n", "a", "2");
  boxed.taken();
  boxed.value("n", "a", "3");  // written and never taken
  boxed.box.lost();
  boxed.balanced();
  boxed.value("n", "a", "4");
  CHECK(boxed.box.counters().queued == 5);
  SECTION("it stored some") {
    boxed.open(2, 100);
    CHECK(boxed.box.counters().acknowledged == 2);
    CHECK(boxed.taken() == Log{"last sync n a=4", "replay 3: a=2 a=3 a=4"});
    boxed.value("n", "a", "5");
    CHECK(boxed.taken() == Log{"6: a=5"});
  }
  SECTION("it has forgotten everything") {
    boxed.open(0, 100);
    CHECK(boxed.taken() == Log{"last sync n a=4", "replay 1: joined n a=1 a=2 a=3 a=4"});
    boxed.value("n", "a", "5");
    CHECK(boxed.taken() == Log{"6: a=5"});
  }
  boxed.box.acknowledged(99);
  CHECK(boxed.box.counters().queued == 0);
  boxed.balanced();
}

TEST_CASE("Nodes that come and go while a snapshot is sent are told of behind it") {
  OutboxLimits limits;
  limits.message_bytes = 1;  // a node a message
  Boxed boxed(limits);
  for (const auto* uid : {"a", "b", "c"}) boxed.value(uid, "v", "1");
  boxed.open(0, 100);
  auto first = wire::parse_message(boxed.box.take());
  REQUIRE(std::get<wire::Sync>(*first).nodes.size() == 1);
  CHECK_FALSE(std::get<wire::Sync>(*first).last);
  const auto sent = std::get<wire::Sync>(*first).nodes[0].uid;
  const std::string left = sent == "a" ? "b" : "a";
  boxed.out(left);
  boxed.value(left, "v", "2");  // it is back at once
  boxed.value("d", "v", "3");
  boxed.value(sent, "v", "4");
  std::string all;
  for (const auto& line : boxed.taken()) all += line + ";";
  INFO(all);
  CHECK(all.find("sync " + left) == std::string::npos);
  const auto out = all.find("out " + left), joined = all.find("joined " + left), value = all.find("v=2");
  CHECK(all.find("last sync") < out);
  CHECK(out < joined);
  CHECK(joined < value);
  CHECK(value != std::string::npos);
  CHECK(all.find("joined d") < all.find("v=3"));
  CHECK(all.find("v=3") != std::string::npos);
  CHECK(all.find("v=4") != std::string::npos);
  boxed.balanced();
  boxed.box.acknowledged(99);
  CHECK(boxed.box.counters().queued == 0);
  boxed.balanced();
}

TEST_CASE("A connection lost in the middle of a snapshot loses nothing of the next") {
  OutboxLimits limits;
  limits.message_bytes = 1;
  Boxed boxed(limits);
  for (const auto* uid : {"a", "b", "c"}) boxed.value(uid, "v", "1");
  boxed.open(0, 100);
  (void)boxed.box.take();
  boxed.value("a", "v", "2");
  boxed.value("b", "v", "2");
  boxed.box.lost();
  boxed.balanced();
  boxed.open(0, 100);
  std::string all;
  for (const auto& line : boxed.taken()) all += line + ";";
  CHECK(all.find("a v=2") != std::string::npos);
  CHECK(all.find("b v=2") != std::string::npos);
  CHECK(all.find("c v=1") != std::string::npos);
  CHECK(all.find("replay 1: joined a v=1 joined b v=1 joined c v=1 v=2 v=2") != std::string::npos);
  boxed.box.acknowledged(8);
  CHECK(boxed.box.counters().queued == 0);
  boxed.balanced();
}

TEST_CASE("A node with more than fits one message has the rest of its values shown behind it") {
  OutboxLimits limits;
  limits.node_bytes = 100;
  Boxed boxed(limits);
  boxed.value("n", "small", "1");
  boxed.value("n", "large", std::string(200, 'x'));
  boxed.open(0, 100);
  const auto log = boxed.taken();
  REQUIRE(log.size() == 3);
  CHECK(log[0] == "last sync n small=1");
  CHECK(log[1] == "live: large=" + std::string(200, 'x'));
  CHECK(log[2] == "replay 1: joined n small=1 large=" + std::string(200, 'x'));
  boxed.balanced();
}

TEST_CASE("Messages are closed at their bounds") {
  Boxed boxed;
  boxed.open(0, 1'000'000);
  boxed.taken();
  for (int i = 0; i < 8'000; ++i) boxed.value("n", "a", std::to_string(i));
  std::size_t messages = 0, items = 0;
  boxed.journal.write();
  for (;;) {
    const auto text = boxed.box.take();
    if (text.empty()) break;
    auto message = wire::parse_message(text);
    REQUIRE(message);
    ++messages;
    const auto& batch = std::get<wire::Batch>(*message);
    CHECK(batch.items.size() <= wire::kMaxBatchItems);
    CHECK_FALSE(batch.replay);
    items += batch.items.size();
  }
  CHECK(messages <= 12);
  CHECK(items == 8'001);
  CHECK(boxed.box.counters().conflated == 0);
  boxed.balanced();
}

TEST_CASE("Events beyond the bound ask for a new connection, and the snapshot puts it right") {
  OutboxLimits limits;
  limits.events = 3;
  limits.direct = 0;
  Boxed boxed(limits);
  boxed.open(0, 1);
  boxed.taken();
  for (int i = 0; i < 10; ++i) {
    boxed.node("n" + std::to_string(i));
    boxed.journal.write();
  }
  CHECK(boxed.box.overflowed());
  boxed.balanced();
  boxed.box.lost();
  boxed.open(0, 100);
  CHECK_FALSE(boxed.box.overflowed());
  CHECK(boxed.taken().at(0).find("n9") != std::string::npos);
  boxed.balanced();
}

TEST_CASE("A node the broker refused sends nothing, and is offered again with the next connection") {
  Boxed boxed;
  boxed.open(0, 100);
  boxed.value("n", "a", "1");
  boxed.taken();
  boxed.node("n").refused = true;
  boxed.value("n", "a", "2");
  CHECK(boxed.taken().empty());
  CHECK(boxed.box.counters().dropped == 1);
  boxed.box.lost();
  boxed.open(2, 100);
  CHECK(boxed.taken() == Log{"last sync n a=2"});
  boxed.balanced();
}

TEST_CASE("Values of a node that went out while they waited are history all the same") {
  Boxed boxed;
  boxed.open(0, 1);
  boxed.taken();
  boxed.value("n", "a", "1");
  boxed.value("n", "b", "1");
  boxed.out("n");
  Log all = boxed.taken();
  for (int i = 1; i < 5; ++i) {
    boxed.box.acknowledged(static_cast<std::uint64_t>(i));
    for (auto& line : boxed.taken()) all.push_back(line);
  }
  CHECK(all == Log{"1: joined n", "2: a=1", "3: b=1", "4: out n"});
  CHECK(boxed.box.counters().queued == 0);
  CHECK(boxed.box.counters().dropped == 0);
  boxed.balanced();
}
