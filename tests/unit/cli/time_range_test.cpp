#include "cli/time_range.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

using namespace aiot;
using namespace aiot::cli;

namespace {

/// A process's time zone for one test.
class Zone {
 public:
  explicit Zone(const char* name) {
    if (const char* had = std::getenv("TZ")) had_ = had;
    set(name);
  }
  ~Zone() {
    had_ ? set(had_->c_str()) : static_cast<void>(::unsetenv("TZ"));
    ::tzset();
  }
  Zone(const Zone&) = delete;
  Zone& operator=(const Zone&) = delete;

 private:
  static void set(const char* name) {
    ::setenv("TZ", name, 1);
    ::tzset();
  }
  std::optional<std::string> had_;
};

constexpr const char* kParis = "CET-1CEST,M3.5.0,M10.5.0/3";

/// "FROM TO" in UTC, or the error's sentence.
std::string range(const std::string& since, const std::string& until, const char* now) {
  const auto range = parse_time_range(since, until, *parse_time(now));
  if (!range) return range.error().message;
  return range->from() + " " + range->to();
}

}  // namespace

TEST_CASE("times are durations ago, clock times, local times, RFC 3339 and seconds since 1970") {
  const Zone zone(kParis);
  constexpr const char* kNow = "2026-01-31T09:00:00Z";  // 10:00 in Paris
  CHECK(range("", "", kNow) == " ");
  CHECK(range("24h", "", kNow) == "2026-01-30T09:00:00.000Z ");
  CHECK(range("90", "1m", kNow) == "2026-01-31T08:58:30.000Z 2026-01-31T08:59:00.000Z");
  CHECK(range("09:30", "", kNow) == "2026-01-31T08:30:00.000Z ");
  CHECK(range("10:00", "", kNow) == "2026-01-31T09:00:00.000Z ");
  CHECK(range("10:00:01", "", kNow) == "2026-01-30T09:00:01.000Z ");
  CHECK(range("2026-01-31", "2026-01-31 08:15", kNow) == "2026-01-30T23:00:00.000Z 2026-01-31T07:15:00.000Z");
  CHECK(range("2026-07-01T12:00:05", "", kNow) == "2026-07-01T10:00:05.000Z ");
  CHECK(range("2026-01-31T12:00:00.5+02:00", "", kNow) == "2026-01-31T10:00:00.500Z ");
  CHECK(range("@1.5", "@2", kNow) == "1970-01-01T00:00:01.500Z 1970-01-01T00:00:02.000Z");
}

TEST_CASE("of two clock times the second comes after the first") {
  const Zone zone(kParis);
  CHECK(range("22:00", "07:00", "2026-01-31T09:00:00Z") ==
        "2026-01-30T21:00:00.000Z 2026-01-31T06:00:00.000Z");
  CHECK(range("22:00", "07:00", "2026-01-31T05:00:00Z") ==
        "2026-01-30T21:00:00.000Z 2026-01-31T06:00:00.000Z");
  CHECK(range("22:00", "07:00", "2026-01-31T22:00:00Z") ==
        "2026-01-31T21:00:00.000Z 2026-02-01T06:00:00.000Z");
  CHECK(range("08:00", "08:00", "2026-01-31T09:00:00Z") ==
        "2026-01-31T07:00:00.000Z 2026-02-01T07:00:00.000Z");
  CHECK(range("2d", "07:00", "2026-01-31T09:00:00Z") == "2026-01-29T09:00:00.000Z 2026-01-31T06:00:00.000Z");
}

TEST_CASE("a night in which clocks are changed has the hours it has") {
  const Zone zone(kParis);
  CHECK(range("22:00", "07:00", "2026-03-29T08:00:00Z") ==
        "2026-03-28T21:00:00.000Z 2026-03-29T05:00:00.000Z");
  CHECK(range("22:00", "07:00", "2026-10-25T08:00:00Z") ==
        "2026-10-24T20:00:00.000Z 2026-10-25T06:00:00.000Z");
}

TEST_CASE("what is no time, and an end before the begin, are named") {
  const Zone zone(kParis);
  constexpr const char* kNow = "2026-01-31T09:00:00Z";
  for (const char* bad : {"soon", "25:00", "12:60", "12:00x", "2026-13-01", "-5m", "@", "@x",
                          "2026-01-31T12:00:00X", "\x1b[31m"}) {
    CAPTURE(bad);
    const std::string why = range("", bad, kNow);
    CHECK(why.rfind("--until: '", 0) == 0);
    CHECK(why.find("' is not a time: ") != std::string::npos);
    CHECK(why.find('\x1b') == std::string::npos);
    CHECK(range(bad, "", kNow).rfind("--since: '", 0) == 0);
  }
  CHECK(range("1h", "2h", kNow).find("is not after --since") != std::string::npos);
  CHECK(range("2026-01-31", "2026-01-31", kNow).find("is not after") != std::string::npos);
}
