#include "core/base/time.h"

#include <fmt/core.h>

#include <cmath>
#include <ctime>
#include <limits>
#include <optional>

namespace aiot {

namespace {

using std::chrono::days;
using std::chrono::floor;
using std::chrono::milliseconds;

constexpr std::int64_t kMaxDurationUs = 100LL * 366 * 86400 * 1'000'000;
/// 9999-12-31T23:59:59: what four digits of a year can show.
constexpr std::int64_t kMaxWallSeconds = 253'402'300'799;

bool is_digit(char c) { return c >= '0' && c <= '9'; }

/// Exactly `count` digits at `at`; moves `at` past them.
std::optional<int> digits(std::string_view text, std::size_t& at, std::size_t count) {
  if (text.size() < at + count) return std::nullopt;
  int value = 0;
  for (std::size_t i = 0; i < count; ++i) {
    if (!is_digit(text[at + i])) return std::nullopt;
    value = value * 10 + (text[at + i] - '0');
  }
  at += count;
  return value;
}

/// The digits after a point, as millionths; more than six are read and dropped.
std::optional<std::int64_t> fraction(std::string_view text, std::size_t& at) {
  if (at >= text.size() || !is_digit(text[at])) return std::nullopt;
  std::int64_t value = 0;
  std::int64_t scale = 100'000;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    value += (text[at] - '0') * scale;
    scale /= 10;
  }
  return value;
}

struct Decimal {
  std::int64_t whole = 0;
  std::int64_t millionths = 0;
};

/// "12", "12.5" or ".5" at `at`; nothing when there is none or it is larger than any bound here.
std::optional<Decimal> decimal(std::string_view text, std::size_t& at) {
  Decimal out;
  const std::size_t start = at;
  for (; at < text.size() && is_digit(text[at]); ++at) {
    if (out.whole > std::numeric_limits<std::int64_t>::max() / 100) return std::nullopt;
    out.whole = out.whole * 10 + (text[at] - '0');
  }
  const bool has_whole = at > start;
  if (at < text.size() && text[at] == '.') {
    ++at;
    const auto part = fraction(text, at);
    if (!part) return std::nullopt;
    out.millionths = *part;
  } else if (!has_whole) {
    return std::nullopt;
  }
  return out;
}

std::optional<WallTime> rfc3339(std::string_view text) {
  std::size_t at = 0;
  const auto literal = [&](std::string_view any) {
    if (at >= text.size() || any.find(text[at]) == std::string_view::npos) return false;
    ++at;
    return true;
  };
  const auto year = digits(text, at, 4);
  if (!year || !literal("-")) return std::nullopt;
  const auto month = digits(text, at, 2);
  if (!month || !literal("-")) return std::nullopt;
  const auto day = digits(text, at, 2);
  if (!day || !literal("Tt ")) return std::nullopt;
  const auto hour = digits(text, at, 2);
  if (!hour || !literal(":")) return std::nullopt;
  const auto minute = digits(text, at, 2);
  if (!minute || !literal(":")) return std::nullopt;
  const auto second = digits(text, at, 2);
  if (!second || *hour > 23 || *minute > 59 || *second > 60) return std::nullopt;  // 60: a leap second
  std::int64_t millionths = 0;
  if (literal(".")) {
    const auto part = fraction(text, at);
    if (!part) return std::nullopt;
    millionths = *part;
  }
  int offset = 0;
  if (!literal("Zz")) {
    const bool west = at < text.size() && text[at] == '-';
    if (!literal("+-")) return std::nullopt;
    const auto hours = digits(text, at, 2);
    if (!hours || !literal(":")) return std::nullopt;
    const auto minutes = digits(text, at, 2);
    if (!minutes || *hours > 23 || *minutes > 59) return std::nullopt;
    offset = (*hours * 60 + *minutes) * (west ? -1 : 1);
  }
  if (at != text.size()) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year(*year),
                                         std::chrono::month(static_cast<unsigned>(*month)),
                                         std::chrono::day(static_cast<unsigned>(*day))};
  if (!date.ok()) return std::nullopt;
  return WallTime(std::chrono::sys_days(date)) + std::chrono::hours(*hour) +
         std::chrono::minutes(*minute - offset) + std::chrono::seconds(*second) +
         milliseconds(millionths / 1000);
}

}  // namespace

std::string format_utc(WallTime time) {
  const auto day = floor<days>(time);
  const std::chrono::year_month_day date(day);
  const auto rest = (time - day).count();
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()), rest / 3'600'000,
                     rest / 60'000 % 60, rest / 1000 % 60, rest % 1000);
}

std::string format_local(WallTime time) {
  const auto seconds = floor<std::chrono::seconds>(time);
  const auto clock = static_cast<std::time_t>(seconds.time_since_epoch().count());
  std::tm parts{};
  if (localtime_r(&clock, &parts) == nullptr) return format_utc(time);
  char date[32] = {};
  char offset[16] = {};
  if (std::strftime(date, sizeof date, "%Y-%m-%d %H:%M:%S", &parts) == 0 ||
      std::strftime(offset, sizeof offset, "%z", &parts) == 0) {
    return format_utc(time);
  }
  return fmt::format("{}.{:03} {}", date, (time - seconds).count(), offset);
}

Result<WallTime> parse_time(std::string_view text) {
  if (auto time = rfc3339(text)) return *time;
  std::size_t at = 0;
  if (const auto value = decimal(text, at); value && at == text.size() && value->whole <= kMaxWallSeconds) {
    return WallTime(std::chrono::seconds(value->whole) + milliseconds(value->millionths / 1000));
  }
  return make_error(Errc::usage, fmt::format("'{}' is not a time: expected RFC 3339, such as "
                                             "2026-01-31T12:00:00Z, or seconds since 1970",
                                             text));
}

Result<Duration> parse_duration(std::string_view text) {
  const auto fail = [&](std::string_view why) {
    return make_error(Errc::usage, fmt::format("'{}' is not a duration: {}", text, why));
  };
  constexpr std::string_view kExpected = "expected a number with ms, s, m, h, d or w, such as 10s or 1h30m";
  std::size_t at = 0;
  std::int64_t total = 0;
  std::int64_t last_unit = std::numeric_limits<std::int64_t>::max();
  if (!text.empty() && text.front() == '-') return fail("it is negative");
  if (text.empty()) return fail(kExpected);
  do {
    const bool first = at == 0;
    const auto value = decimal(text, at);
    if (!value) return fail(kExpected);
    const auto rest = text.substr(at);
    std::int64_t unit = 0;
    if (rest.empty() && first) {
      unit = 1'000'000;
    } else if (rest.substr(0, 2) == "ms") {
      unit = 1000;
      at += 2;
    } else if (!rest.empty()) {
      switch (rest.front()) {
        case 's': unit = 1'000'000; break;
        case 'm': unit = 60'000'000; break;
        case 'h': unit = 3'600'000'000; break;
        case 'd': unit = 86'400'000'000; break;
        case 'w': unit = 604'800'000'000; break;
        default: return fail(kExpected);
      }
      ++at;
    }
    if (unit == 0) return fail(kExpected);
    if (unit >= last_unit) return fail("its units must go from large to small");
    last_unit = unit;
    if (value->whole > kMaxDurationUs / unit) return fail("it is longer than 100 years");
    // Millionths of the unit: exact for seconds and milliseconds, rounded down to microseconds.
    total += value->whole * unit +
             static_cast<std::int64_t>(
                 static_cast<double>(value->millionths) * static_cast<double>(unit) / 1e6 + 1e-6);
  } while (at < text.size());
  if (total > kMaxDurationUs) return fail("it is longer than 100 years");
  return Duration(total);
}

std::string format_duration(Duration duration) {
  std::int64_t rest = duration.count();
  std::string out;
  if (rest < 0) {
    out += '-';
    rest = -rest;
  }
  if (rest == 0) return "0s";
  const auto with_fraction = [&](std::int64_t value, std::int64_t unit, std::string_view name) {
    out += std::to_string(value / unit);
    if (std::int64_t part = value % unit; part != 0) {
      out += '.';
      for (std::int64_t scale = unit / 10; part != 0; scale /= 10) {
        out += static_cast<char>('0' + part / scale);
        part %= scale;
      }
    }
    out += name;
  };
  if (rest < 1'000'000) {
    with_fraction(rest, 1000, "ms");
    return out;
  }
  const std::pair<std::int64_t, char> units[] = {
      {604'800'000'000, 'w'}, {86'400'000'000, 'd'}, {3'600'000'000, 'h'}, {60'000'000, 'm'}};
  for (const auto& [unit, name] : units) {
    if (rest < unit) continue;
    out += std::to_string(rest / unit);
    out += name;
    rest %= unit;
  }
  if (rest != 0) with_fraction(rest, 1'000'000, "s");
  return out;
}

}  // namespace aiot
