#include "core/coap/observe_order.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace std::chrono_literals;
using coap::Backoff;
using coap::ObserveOrder;

TEST_CASE("a higher sequence is newer, a lower or the same one is not") {
  ObserveOrder order;
  const TimePoint t{};
  CHECK(order.accept(5, t));
  CHECK_FALSE(order.accept(5, t));
  CHECK_FALSE(order.accept(4, t));
  CHECK(order.accept(6, t));
}

TEST_CASE("the sequence wraps at 24 bits, half a circle is the limit") {
  ObserveOrder order;
  const TimePoint t{};
  CHECK(order.accept(0xFFFFFF, t));
  CHECK(order.accept(0, t));
  CHECK_FALSE(order.accept(0xFFFFFE, t));
  CHECK(order.accept((1U << 23) - 1, t));
  // Exactly half a circle away is neither newer nor older, and counts as old.
  CHECK_FALSE(order.accept(0xFFFFFF, t));
}

TEST_CASE("after 128 seconds whatever comes is newer") {
  ObserveOrder order;
  const TimePoint t{};
  CHECK(order.accept(100, t));
  CHECK_FALSE(order.accept(50, t + 128s));
  CHECK(order.accept(50, t + 128s + 1ms));
}

TEST_CASE("a reset forgets the order") {
  ObserveOrder order;
  CHECK(order.accept(100, TimePoint{}));
  order.reset();
  CHECK(order.accept(1, TimePoint{}));
}

TEST_CASE("waits double to their bound, less up to half at random, and start over") {
  Backoff backoff(1s, 8s);
  for (const auto expected : {1s, 2s, 4s, 8s, 8s, 8s}) {
    const auto wait = backoff.next();
    CHECK(wait <= expected);
    CHECK(wait * 2 >= expected);
  }
  backoff.reset();
  CHECK(backoff.next() <= 1s);
}
