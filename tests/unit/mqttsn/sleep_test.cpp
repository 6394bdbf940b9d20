#include <catch2/catch.hpp>

#include "unit/mqttsn/world.h"

using namespace aiot;
using namespace aiot::mqttsn;
using namespace std::chrono_literals;

using Types = std::vector<Type>;

TEST_CASE("a sleeping client gets what came meanwhile when it asks, in order, then PINGRESP") {
  World w;
  w.connect(1, "c", false);
  const auto id = w.subscribe(1, "t");
  w.from(1, {.type = Type::disconnect, .duration = 300, .has_duration = true});
  CHECK(w.types(1) == Types{Type::disconnect});
  for (int i = 0; i < 3; ++i) w.core.deliver({"t", std::to_string(i), 1, false}, w.now);
  w.advance(200s);
  CHECK(w.take(1).empty());
  w.from(1, {.type = Type::pingreq, .data = "c"});
  for (int i = 0; i < 3; ++i) {
    const auto got = w.take(1);
    REQUIRE(got.size() == 1);
    CHECK(got[0].data == std::to_string(i));
    w.from(1, {.type = Type::puback, .topic_id = id, .message_id = got[0].message_id});
  }
  CHECK(w.types(1) == Types{Type::pingresp});
  CHECK(w.core.find("c")->state == Session::State::asleep);
  // Asleep again: nothing is sent.
  w.core.deliver({"t", "x", 1, false}, w.now);
  CHECK(w.take(1).empty());
}

TEST_CASE("a client that sleeps longer than it said is lost, and keeps what waits for it") {
  World w;
  w.connect(1, "c", false);
  w.subscribe(1, "t");
  w.from(1, {.type = Type::disconnect, .duration = 100, .has_duration = true});
  w.core.deliver({"t", "1", 1, false}, w.now);
  w.take(1);
  w.advance(111s);
  CHECK(w.core.find("c")->state == Session::State::lost);
  w.connect(1, "c", false);
  CHECK(w.core.counters().queued == 1);
}

TEST_CASE("a client that wakes at another address is known by its id") {
  World w;
  w.connect(1, "c", false);
  w.subscribe(1, "t");
  w.from(1, {.type = Type::disconnect, .duration = 300, .has_duration = true});
  w.take(1);
  w.from(2, {.type = Type::pingreq, .data = "c"});
  CHECK(w.types(2) == Types{Type::pingresp});
  CHECK(w.take(1).empty());
}
