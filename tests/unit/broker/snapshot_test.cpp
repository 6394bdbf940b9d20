#include "daemon/broker/snapshot.h"

#include <catch2/catch.hpp>

#include "daemon/broker/outbox.h"
#include "unit/broker/fakes.h"

using namespace aiot;
using namespace aiot::broker;

namespace {

const std::string kId = "01234567-89ab-cdef-0123-456789abcdef";

/// The payloads of unmasked frames below 64 KB.
std::vector<std::string> payloads(std::string_view frames) {
  std::vector<std::string> all;
  while (!frames.empty()) {
    REQUIRE(static_cast<unsigned char>(frames[0]) == 0x81);
    std::size_t size = static_cast<unsigned char>(frames[1]);
    std::size_t head = 2;
    if (size == 126) {
      size = static_cast<unsigned char>(frames[2]) * 256U + static_cast<unsigned char>(frames[3]);
      head = 4;
    }
    all.emplace_back(frames.substr(head, size));
    frames.remove_prefix(head + size);
  }
  return all;
}

struct World {
  NodeTable table;
  RecordingHub hub;
  RecordingEvents events;
  Counters counters;
  Records records;
  Routing routing{table, hub, events, records, counters};
  FakeLink link;
  GatewayRecord& gateway = routing.connected({"g", "g", "s", "t", "p", true}, link, {});
  SnapshotCache cache{table};

  void apply(std::vector<wire::Item> items) { routing.apply(gateway, items, {}); }
  static std::vector<std::string> text(const Snapshot& snapshot) {
    std::vector<std::string> all;
    for (const auto& block : snapshot) {
      for (auto& payload : payloads(block->addressed_to(kId))) all.push_back(std::move(payload));
    }
    return all;
  }
};

}  // namespace

TEST_CASE("a snapshot holds each live node as the contract orders it") {
  World w;
  w.apply({wire::NodeJoined{"n", "MQTT", "id-1", {}}, update("n", "led", "\"0\""),
           wire::NodeJoined{"m", "CoAP", "x", {}}, wire::NodeOut{"m", {}},
           wire::NodeJoined{"w", "WebSocket", "", {}}});
  const std::string dst = R"(,"dst":")" + kId + "\"}";
  CHECK(World::text(w.cache.take()) ==
        std::vector<std::string>{
            R"({"type":"new","uid":"n")" + dst,
            R"({"type":"update","uid":"n","endpoint":"id","data":"id-1")" + dst,
            R"({"type":"update","uid":"n","endpoint":"protocol","data":"MQTT")" + dst,
            R"({"type":"update","uid":"n","endpoint":"led","data":"\"0\"")" + dst,
            R"({"type":"new","uid":"w")" + dst,
            R"({"type":"update","uid":"w","endpoint":"protocol","data":"WebSocket")" + dst});
}

TEST_CASE("a snapshot in flight keeps what it had; the next shows what changed, and shares the rest") {
  World w;
  for (int i = 0; i < 200; ++i) w.apply({update(fmt::format("n{}", i), "v", "old")});
  const Snapshot before = w.cache.take();
  CHECK(before.size() == 4);
  CHECK(w.cache.take() == before);
  w.apply({update("n70", "v", "new"), update("n3", "v", "old")});
  const Snapshot after = w.cache.take();
  CHECK(after[0] == before[0]);
  CHECK(after[1] != before[1]);
  CHECK(after[2] == before[2]);
  const auto has = [](const Snapshot& snapshot, std::string_view value) {
    for (const auto& text : World::text(snapshot)) {
      if (text.find(value) != std::string::npos) return true;
    }
    return false;
  };
  CHECK_FALSE(has(before, "\"new\",\"dst\""));
  CHECK(has(after, "\"data\":\"new\""));
  w.cache.drop();
  CHECK(w.cache.bytes() == 0);
  CHECK(World::text(w.cache.take()) == World::text(after));
}

TEST_CASE("an empty table has an empty snapshot") {
  World w;
  CHECK(w.cache.take().empty());
}
