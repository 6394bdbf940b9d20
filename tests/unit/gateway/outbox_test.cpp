#include "daemon/gateway/outbox.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {

struct Boxed {
  NodeTable table;
  Outbox box;
  explicit Boxed(OutboxLimits limits = {}) : box(table, limits) {}

  Node& node(const std::string& uid) {
    Node* node = table.find(uid);
    if (node == nullptr) {
      node = table.add(uid, 60s);
      table.place(*node, *SocketAddress::parse("192.0.2.1:5683"));
      table.revive(*node);
      box.item(wire::NodeJoined{uid, "CoAP", "192.0.2.1", {}});
    }
    return *node;
  }
  void value(const std::string& uid, const std::string& name, const std::string& bytes) {
    Node& of = node(uid);
    if (of.find(name) == nullptr) of.resources.emplace_back().name = name;
    of.find(name)->bytes = bytes;
    box.update(of, *of.find(name));
  }
  void out(const std::string& uid) {
    box.item(wire::NodeOut{uid, {}});
    table.forget(*table.find(uid));
  }
  /// Everything that can leave now, as short text.
  std::vector<std::string> taken() {
    std::vector<std::string> out;
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
        std::string line = std::to_string(batch->first) + ":";
        for (const auto& item : batch->items) {
          if (auto* update = std::get_if<Update>(&item)) line += " " + update->resource + "=" + update->bytes;
          if (auto* joined = std::get_if<wire::NodeJoined>(&item)) line += " joined " + joined->uid;
          if (auto* gone = std::get_if<wire::NodeOut>(&item)) line += " out " + gone->uid;
          if (std::holds_alternative<wire::Notice>(item)) line += " notice";
        }
        out.push_back(line);
      }
    }
  }
  void balanced() const {
    const auto c = box.counters();
    CHECK(c.sent == c.acknowledged + c.snapshot + c.queued + c.conflated + c.dropped);
  }
};

using Log = std::vector<std::string>;

}  // namespace

TEST_CASE("What happens in one turn leaves as one batch, numbered on") {
  Boxed boxed;
  boxed.box.opened(0, 100);
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

TEST_CASE("While the window is full only the newest value of each resource waits") {
  Boxed boxed;
  boxed.box.opened(0, 2);
  boxed.value("n", "a", "1");
  CHECK(boxed.taken() == Log{"last sync", "1: joined n a=1"});  // the window is full
  boxed.value("n", "a", "2");
  boxed.value("n", "a", "3");
  boxed.value("n", "b", "4");
  boxed.value("n", "a", "5");
  boxed.value("n", "b", "6");
  const auto first = boxed.taken();
  boxed.balanced();
  boxed.box.acknowledged(2);
  const auto second = boxed.taken();
  boxed.box.acknowledged(4);
  const auto third = boxed.taken();
  std::string all;
  for (const auto* lines : {&first, &second, &third})
    for (const auto& line : *lines) all += line + ";";
  INFO(all);
  CHECK(all.find("a=5") != std::string::npos);
  CHECK(all.find("b=6") != std::string::npos);
  CHECK(all.find("a=3") == std::string::npos);
  CHECK(all.find("b=4") == std::string::npos);
  CHECK(boxed.box.counters().conflated >= 2);
  boxed.balanced();
}

TEST_CASE(
    "While the broker is away the latest values wait, and go out as a snapshot with what else changed") {
  Boxed boxed;
  boxed.value("n", "a", "1");
  boxed.value("n", "a", "2");
  boxed.value("m", "b", "3");
  boxed.value("gone", "c", "4");
  boxed.out("gone");
  boxed.box.item(wire::Notice{"uid_conflict", "n", "x", {}});
  CHECK(boxed.taken().empty());
  boxed.balanced();
  boxed.box.opened(0, 100);
  const auto log = boxed.taken();
  REQUIRE(log.size() == 2);
  CHECK((log[0] == "last sync n a=2 m b=3" || log[0] == "last sync m b=3 n a=2"));
  CHECK(log[1] == "1: notice");
  boxed.balanced();
  boxed.box.acknowledged(1);
  CHECK(boxed.box.counters().queued == 0);
  CHECK(boxed.box.counters().conflated == 1);
  boxed.balanced();
}

TEST_CASE("What a lost connection left in doubt is settled by the next welcome") {
  Boxed boxed;
  boxed.box.opened(0, 100);
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
    boxed.box.opened(2, 100);
    CHECK(boxed.box.counters().acknowledged == 2);
    CHECK(boxed.taken() == Log{"last sync n a=4"});
    boxed.value("n", "a", "5");
    CHECK(boxed.taken() == Log{"3: a=5"});
  }
  SECTION("it has forgotten everything") {
    boxed.box.opened(0, 100);
    CHECK(boxed.taken() == Log{"last sync n a=4"});
    boxed.value("n", "a", "5");
    CHECK(boxed.taken() == Log{"1: a=5"});
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
  boxed.box.opened(0, 100);
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
  boxed.box.opened(0, 100);
  (void)boxed.box.take();
  boxed.value("a", "v", "2");
  boxed.value("b", "v", "2");
  boxed.box.lost();
  boxed.balanced();
  boxed.box.opened(0, 100);
  std::string all;
  for (const auto& line : boxed.taken()) all += line + ";";
  CHECK(all.find("a v=2") != std::string::npos);
  CHECK(all.find("b v=2") != std::string::npos);
  CHECK(all.find("c v=1") != std::string::npos);
  CHECK(boxed.box.counters().queued == 0);
  boxed.balanced();
}

TEST_CASE("A node with more than fits one message has the rest of its values sent as updates") {
  OutboxLimits limits;
  limits.node_bytes = 100;
  Boxed boxed(limits);
  boxed.value("n", "small", "1");
  boxed.value("n", "large", std::string(200, 'x'));
  boxed.box.opened(0, 100);
  const auto log = boxed.taken();
  REQUIRE(log.size() == 2);
  CHECK(log[0] == "last sync n small=1");
  CHECK(log[1] == "1: large=" + std::string(200, 'x'));
  boxed.balanced();
}

TEST_CASE("Messages are closed at their bounds") {
  Boxed boxed;
  boxed.box.opened(0, 1'000'000);
  boxed.taken();
  for (int i = 0; i < 10'000; ++i) boxed.value("n", "a", std::to_string(i));
  std::size_t messages = 0, items = 0;
  for (;;) {
    const auto text = boxed.box.take();
    if (text.empty()) break;
    auto message = wire::parse_message(text);
    REQUIRE(message);
    ++messages;
    items += std::get<wire::Batch>(*message).items.size();
  }
  CHECK(messages == 3);
  CHECK(items == 10'001);
  CHECK(boxed.box.counters().conflated == 0);
  boxed.balanced();
}

TEST_CASE("Events beyond the bound ask for a new connection, and the snapshot puts it right") {
  OutboxLimits limits;
  limits.events = 3;
  Boxed boxed(limits);
  boxed.box.opened(0, 1);
  boxed.taken();
  for (int i = 0; i < 10; ++i) boxed.node("n" + std::to_string(i));
  CHECK(boxed.box.overflowed());
  boxed.balanced();
  boxed.box.lost();
  boxed.box.opened(0, 100);
  CHECK_FALSE(boxed.box.overflowed());
  CHECK(boxed.taken().at(0).find("n9") != std::string::npos);
  boxed.balanced();
}

TEST_CASE("A node the broker refused sends nothing, and is offered again with the next connection") {
  Boxed boxed;
  boxed.box.opened(0, 100);
  boxed.value("n", "a", "1");
  boxed.taken();
  boxed.node("n").refused = true;
  boxed.value("n", "a", "2");
  CHECK(boxed.taken().empty());
  CHECK(boxed.box.counters().dropped == 1);
  boxed.box.lost();
  boxed.box.opened(2, 100);
  CHECK(boxed.taken() == Log{"last sync n a=2"});
  boxed.balanced();
}

TEST_CASE("Values of a node that went out while they waited are counted as dropped") {
  Boxed boxed;
  boxed.box.opened(0, 1);
  boxed.taken();
  boxed.value("n", "a", "1");
  boxed.value("n", "b", "1");
  boxed.out("n");
  boxed.taken();
  for (int i = 1; i < 5; ++i) {
    boxed.box.acknowledged(static_cast<std::uint64_t>(i));
    boxed.taken();
  }
  CHECK(boxed.box.counters().queued == 0);
  CHECK(boxed.box.counters().dropped == 2);
  boxed.balanced();
}
