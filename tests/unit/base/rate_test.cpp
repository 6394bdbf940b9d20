#include "core/base/rate.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace std::chrono_literals;

namespace {

constexpr TimePoint kStart = TimePoint{} + 1h;

}  // namespace

TEST_CASE("a burst passes at once, then one each interval") {
  const Rate rate{10, 3};
  RateMeter meter;
  for (int i = 0; i < 3; ++i) CHECK(meter.take(rate, kStart));
  CHECK_FALSE(meter.take(rate, kStart));
  CHECK(meter.wait(rate, kStart) == 100ms);
  CHECK_FALSE(meter.take(rate, kStart + 99ms));
  CHECK(meter.take(rate, kStart + 100ms));
  CHECK_FALSE(meter.take(rate, kStart + 100ms));
  // After a pause the burst is whole again, and no more than that.
  int passed = 0;
  while (meter.take(rate, kStart + 1h)) ++passed;
  CHECK(passed == 3);
}

TEST_CASE("over a long time the rate is what passes") {
  const Rate rate{100, 1000};
  RateMeter meter;
  int passed = 0;
  for (int i = 0; i < 100'000; ++i) passed += meter.take(rate, kStart + i * 1ms) ? 1 : 0;
  CHECK(passed == 1000 + 9999);
}

TEST_CASE("what is charged beyond the rate is a time to wait") {
  const Rate rate{10, 5};
  RateMeter meter;
  CHECK(meter.charge(rate, kStart, 5) == 0ms);
  CHECK(meter.charge(rate, kStart, 20) == 2s);
  CHECK(meter.charge(rate, kStart + 2s, 0) == 0ms);
  CHECK(meter.charge(rate, kStart + 2s, 1) == 100ms);
}

TEST_CASE("without a rate there is no limit") {
  const Rate none;
  RateMeter meter;
  for (int i = 0; i < 1000; ++i) CHECK(meter.take(none, kStart));
  CHECK(meter.charge(none, kStart, 1e9) == 0ms);
  CHECK(meter.wait(none, kStart) == 0ms);
}
