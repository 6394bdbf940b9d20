#include "cli/time_range.h"

#include <fmt/format.h>

#include <array>
#include <ctime>

#include "cli/options.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

/// A local time of day.
struct ClockTime {
  int hour = 0, minute = 0, second = 0;
};

/// `text` in one of strptime's `formats`, all of it.
template <std::size_t N>
std::optional<std::tm> parse_local(const std::string& text, const std::array<const char*, N>& formats) {
  for (const char* format : formats) {
    std::tm parts{};
    const char* end = ::strptime(text.c_str(), format, &parts);
    if (end != nullptr && *end == '\0') return parts;
  }
  return std::nullopt;
}

WallTime wall(std::tm parts) {
  parts.tm_isdst = -1;  // whatever holds at that time
  return WallTime(std::chrono::seconds(std::mktime(&parts)));
}

std::optional<ClockTime> parse_clock(const std::string& text) {
  constexpr std::array kFormats = {"%H:%M", "%H:%M:%S"};
  const auto parts = parse_local(text, kFormats);
  if (!parts) return std::nullopt;
  return ClockTime{parts->tm_hour, parts->tm_min, parts->tm_sec};
}

/// That time of day on the day of `base`, or so many days later.
WallTime on_day(WallTime base, int days, const ClockTime& clock) {
  const auto seconds =
      static_cast<std::time_t>(std::chrono::floor<std::chrono::seconds>(base).time_since_epoch().count());
  std::tm parts{};
  ::localtime_r(&seconds, &parts);
  parts.tm_mday += days;
  parts.tm_hour = clock.hour;
  parts.tm_min = clock.minute;
  parts.tm_sec = clock.second;
  return wall(parts);
}

WallTime latest(const ClockTime& clock, WallTime now) {
  const WallTime today = on_day(now, 0, clock);
  return today <= now ? today : on_day(now, -1, clock);
}

WallTime first_after(const ClockTime& clock, WallTime since) {
  const WallTime same_day = on_day(since, 0, clock);
  return same_day > since ? same_day : on_day(since, 1, clock);
}

Result<WallTime> parse_point(const std::string& text, WallTime now) {
  if (const auto duration = parse_duration(text)) {
    return now - std::chrono::duration_cast<std::chrono::milliseconds>(*duration);
  }
  constexpr std::array kFormats = {"%Y-%m-%d", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M",
                                   "%Y-%m-%dT%H:%M:%S"};
  if (const auto local = parse_local(text, kFormats)) return wall(*local);
  const bool since_1970 = text.size() > 1 && text.front() == '@';
  if (since_1970 || text.size() >= 20) {
    if (auto time = parse_time(since_1970 ? text.substr(1) : text)) return *time;
  }
  return make_error(Errc::usage,
                    fmt::format("'{}' is not a time: expected a duration ago (24h), a time of day (22:00), a "
                                "local date or time (2026-01-31, \"2026-01-31 12:00\"), RFC 3339 or @SECONDS "
                                "since 1970",
                                text::escape_controls(text)));
}

Error named(const char* option, const Error& error) {
  return make_error(Errc::usage, fmt::format("{}: {}", option, error.message));
}

}  // namespace

Result<TimeRange> parse_time_range(const std::string& since, const std::string& until, WallTime now) {
  TimeRange out;
  const auto since_clock = parse_clock(since);
  const auto until_clock = parse_clock(until);
  if (since_clock) {
    out.since = latest(*since_clock, now);
  } else if (!since.empty()) {
    auto point = parse_point(since, now);
    if (!point) return named("--since", point.error());
    out.since = *point;
  }
  if (until_clock) {
    out.until = since_clock ? first_after(*until_clock, *out.since) : latest(*until_clock, now);
  } else if (!until.empty()) {
    auto point = parse_point(until, now);
    if (!point) return named("--until", point.error());
    out.until = *point;
  }
  if (out.since && out.until && *out.until <= *out.since) {
    return make_error(Errc::usage, fmt::format("--until ({}) is not after --since ({})",
                                               format_local(*out.until), format_local(*out.since)));
  }
  return out;
}

void TimeRangeOptions::configure(CLI::App& app) {
  add_text(app, "--since", since_,
           fmt::format("from this time on: a duration ago (24h), a time of day (22:00), a date or time{}",
                       since_.empty() ? "" : fmt::format(" (default {})", since_)),
           "TIME");
  add_text(app, "--until", until_, "up to this time", "TIME");
}

}  // namespace aiot::cli
