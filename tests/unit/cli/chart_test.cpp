#include "cli/chart.h"

#include <catch2/catch.hpp>
#include <limits>
#include <nlohmann/json.hpp>

#include "cli/history_printer.h"

using namespace aiot;
using namespace aiot::cli;
using nlohmann::ordered_json;
using std::chrono::milliseconds;
using std::chrono::minutes;

TEST_CASE("a chart goes from the lowest block to the highest, with gaps") {
  CHECK(chart_line({}).empty());
  CHECK(chart_line({0, 1, 2, 3, 4, 5, 6, 7}) == "▁▂▃▄▅▆▇█");
  CHECK(chart_line({-1, std::nullopt, 1}) == "▁ █");
  CHECK(chart_line({5, 5}) == "▅▅");
  constexpr double kMost = std::numeric_limits<double>::max();
  CHECK(chart_line({-kMost, 0, kMost}) == "▁▅█");
}

TEST_CASE("steps of a chart cover the range within the width, wherever steps begin") {
  for (const std::int64_t since : {0LL, 1LL, 59'999LL, 1'770'000'000'123LL}) {
    for (const std::int64_t length : {1LL, 79LL, 3'600'000LL, 86'400'001LL}) {
      for (const std::size_t columns : {1U, 2U, 80U}) {
        const auto step =
            std::chrono::duration_cast<milliseconds>(
                chart_step(WallTime(milliseconds(since)), WallTime(milliseconds(since + length)), columns))
                .count();
        REQUIRE(step > 0);
        CHECK((since + length - 1) / step - since / step <
              static_cast<std::int64_t>(std::max<std::size_t>(columns, 2)));
      }
    }
  }
}

TEST_CASE("history's chart stands where its steps do, and needs a number") {
  const auto since = *parse_time("2026-01-31T12:00:30Z");
  const auto chart = history_chart(
      {ordered_json::parse(R"({"time":"2026-01-31T12:00:00.000Z","min":1,"max":3,"mean":2,"count":4})"),
       ordered_json::parse(R"({"time":"2026-01-31T12:01:00.000Z","count":1,"last":"x"})"),
       ordered_json::parse(R"({"time":"2026-01-31T12:02:00.000Z","min":9,"max":9,"mean":9,"count":1})"),
       ordered_json::parse(R"({"time":"1970-01-01T00:00:00.000Z","mean":9})")},
      since, minutes(1), "x", false);
  CHECK(chart == "x: 1 to 9, 5 values\n▁ █\n");
  CHECK(history_chart({ordered_json::parse(R"({"time":"2026-01-31T12:01:00.000Z","count":1})")}, since,
                      minutes(1), "x", true)
            .empty());
}
