#include "core/base/time.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <ctime>

using aiot::Duration;
using namespace std::chrono_literals;

namespace {

std::string utc(std::string_view text) {
  const auto time = aiot::parse_time(text);
  return time ? aiot::format_utc(*time) : "error";
}

}  // namespace

TEST_CASE("times are read in RFC 3339 with any offset and shown in UTC") {
  CHECK(utc("2026-01-31T12:00:00.123Z") == "2026-01-31T12:00:00.123Z");
  CHECK(utc("2026-01-31t12:00:00z") == "2026-01-31T12:00:00.000Z");
  CHECK(utc("2026-01-31 13:30:00+01:30") == "2026-01-31T12:00:00.000Z");
  CHECK(utc("2026-01-01T00:30:00+01:00") == "2025-12-31T23:30:00.000Z");
  CHECK(utc("2024-02-29T23:59:59.9999Z") == "2024-02-29T23:59:59.999Z");
  CHECK(utc("1969-12-31T23:59:59.5Z") == "1969-12-31T23:59:59.500Z");
  CHECK(utc("2016-12-31T23:59:60Z") == "2017-01-01T00:00:00.000Z");
}

TEST_CASE("seconds since 1970 are a time") {
  CHECK(utc("0") == "1970-01-01T00:00:00.000Z");
  CHECK(utc("1769860800.25") == "2026-01-31T12:00:00.250Z");
}

TEST_CASE("what is no time is refused") {
  for (const char* text :
       {"", "yesterday", "2026-02-29T00:00:00Z", "2026-01-31T24:00:00Z", "2026-01-31T12:00:00",
        "2026-1-31T12:00:00Z", "2026-01-31T12:00:00.Z", "2026-01-31T12:00:00+0100", "-5", "1.",
        "99999999999999", "2026-01-31T12:00:00Zx", "1e9"}) {
    INFO(text);
    const auto time = aiot::parse_time(text);
    REQUIRE_FALSE(time);
    CHECK(time.error().code == aiot::Errc::usage);
  }
}

TEST_CASE("local times carry their offset") {
  ::setenv("TZ", "UTC-1", 1);  // POSIX: one hour east
  ::tzset();
  CHECK(aiot::format_local(*aiot::parse_time("2026-01-31T12:00:00.123Z")) == "2026-01-31 13:00:00.123 +0100");
  ::unsetenv("TZ");
  ::tzset();
}

TEST_CASE("durations are read with units, in sums and as bare seconds") {
  const std::pair<const char*, Duration> cases[] = {
      {"500ms", 500ms},  {"10s", 10s},          {"5m", 5min},     {"2h", 2h},
      {"1d", 24h},       {"4w", 672h},          {"10", 10s},      {"0.5", 500ms},
      {".5", 500ms},     {"1h30m", 90min},      {"0", 0s},        {"1.5h", 90min},
      {"0.25ms", 250us}, {"1m0.001s", 60001ms}, {"0.000001", 1us}};
  for (const auto& [text, wanted] : cases) {
    INFO(text);
    const auto duration = aiot::parse_duration(text);
    REQUIRE(duration);
    CHECK(*duration == wanted);
  }
}

TEST_CASE("what is no duration is refused") {
  for (const char* text : {"", "-5s", "s", "10x", "10 s", "1m1h", "1s1s", "1h30", "1..5s", "5.", "200y",
                           "6000w", "99999999999999999999", "1e3", "10S", "inf", "+5"}) {
    INFO(text);
    const auto duration = aiot::parse_duration(text);
    REQUIRE_FALSE(duration);
    CHECK(duration.error().code == aiot::Errc::usage);
  }
}

TEST_CASE("a duration is written in a form that reads back") {
  CHECK(aiot::format_duration(10s) == "10s");
  CHECK(aiot::format_duration(90min) == "1h30m");
  CHECK(aiot::format_duration(250ms) == "250ms");
  CHECK(aiot::format_duration(250us) == "0.25ms");
  CHECK(aiot::format_duration(1500ms) == "1.5s");
  CHECK(aiot::format_duration(0s) == "0s");
  CHECK(aiot::format_duration(10 * 24h) == "1w3d");
  for (const std::int64_t us : {1LL, 999LL, 1'000'001LL, 59'999'999LL, 3'600'000'001LL, 700'000'123'456LL}) {
    const auto back = aiot::parse_duration(aiot::format_duration(Duration(us)));
    REQUIRE(back);
    CHECK(back->count() == us);
  }
}
