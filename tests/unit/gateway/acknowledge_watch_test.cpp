#include "daemon/gateway/acknowledge_watch.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

TEST_CASE("What was sent just before the watch looks is not overdue, however long nothing was sent before") {
  AcknowledgeWatch watch(30s);
  const TimePoint start{};
  watch.tell(0, start);
  watch.tell(1, start + 29'900ms);
  CHECK_FALSE(watch.overdue(start + 30s));
  CHECK(watch.wait(start + 30s) == 29'900ms);
  watch.tell(3, start + 40s);  // more does not put it off
  CHECK(watch.overdue(start + 59'900ms));
}

TEST_CASE("Each acknowledgement gives the rest its time anew") {
  AcknowledgeWatch watch(30s);
  const TimePoint start{};
  watch.tell(2, start);
  watch.tell(1, start + 20s);
  CHECK_FALSE(watch.overdue(start + 49s));
  CHECK(watch.overdue(start + 50s));
  watch.tell(0, start + 51s);
  CHECK_FALSE(watch.overdue(start + 1000s));
  CHECK(watch.wait(start + 1000s) == 30s);
  watch.tell(1, start + 1000s);
  CHECK_FALSE(watch.overdue(start + 1029s));
}
