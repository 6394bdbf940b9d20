#pragma once

#include <optional>
#include <string>

#include "core/base/time.h"

namespace CLI {
class App;
}

namespace aiot::cli {

/// A stretch of the wall clock; an absent end is open.
struct TimeRange {
  std::optional<WallTime> since, until;  ///< inclusive, exclusive

  /// The REST parameters `from` and `to`; empty for an open end.
  [[nodiscard]] std::string from() const { return since ? format_utc(*since) : std::string(); }
  [[nodiscard]] std::string to() const { return until ? format_utc(*until) : std::string(); }
};

/// What --since and --until name, seen at `now`; an empty text is an open end. Pure but for the process's
/// time zone.
///
/// A duration is that long ago; HH:MM[:SS] the latest such local time in the past, or, for `until` after a
/// clock time as `since`, the first after that; "2026-01-31" and "2026-01-31 12:00[:SS]" are local, RFC 3339
/// is what it says, and "@N" seconds since 1970. Errc::usage for anything else, and when `until` is not
/// after `since`.
[[nodiscard]] Result<TimeRange> parse_time_range(const std::string& since, const std::string& until,
                                                 WallTime now);

/// The options --since and --until.
class TimeRangeOptions {
 public:
  /// `otherwise`: of --since; empty for all there is.
  explicit TimeRangeOptions(std::string otherwise = {}) : since_(std::move(otherwise)) {}
  void configure(CLI::App& app);
  [[nodiscard]] Result<TimeRange> range(WallTime now) const { return parse_time_range(since_, until_, now); }

 private:
  std::string since_, until_;
};

}  // namespace aiot::cli
