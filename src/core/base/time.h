#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace aiot {

/// Durations inside the program; fine enough for round-trip times.
using Duration = std::chrono::microseconds;
/// A point of the monotonic clock, as EventLoop::now() tells it.
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;
/// A point of the wall clock, UTC, in milliseconds as all outputs show it.
using WallTime = std::chrono::sys_time<std::chrono::milliseconds>;

/// "2026-01-31T12:00:00.123Z" (RFC 3339, UTC, milliseconds).
[[nodiscard]] std::string format_utc(WallTime time);
/// "2026-01-31 13:00:00.123 +0100", in the process's time zone: what text output shows.
[[nodiscard]] std::string format_local(WallTime time);
/// RFC 3339 with any offset, or seconds since 1970 (a fraction is allowed). Errc::usage otherwise.
[[nodiscard]] Result<WallTime> parse_time(std::string_view text);

/// "500ms", "10s", "5m", "2h", "1d", "4w", "1h30m" or a bare number of seconds ("0.5"). Errc::usage
/// for anything else, for a negative and for more than 100 years.
[[nodiscard]] Result<Duration> parse_duration(std::string_view text);
/// The shortest of parse_duration's forms: "10s", "1h30m", "250ms".
[[nodiscard]] std::string format_duration(Duration duration);

}  // namespace aiot
