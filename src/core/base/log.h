#pragma once

#include <fmt/core.h>

#include <cstdint>
#include <string_view>
#include <utility>

/// Logging to stderr, one line a record. Text from the network is escaped here, so that no peer
/// can forge a line or drive a terminal.
namespace aiot::log {

enum class Level : std::uint8_t { debug, info, warn, error };
enum class Format : std::uint8_t { text, json };

/// Records below `level` are not formatted. Default: warn for commands, info for daemons.
void set_level(Level level);
void set_format(Format format);
[[nodiscard]] bool enabled(Level level);
[[nodiscard]] Format format();

/// Writes one record: `{"time","level","message"}` or `level: message`.
void write(Level level, std::string_view message);

template <class... Args>
void debug(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::debug)) write(Level::debug, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void info(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::info)) write(Level::info, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void warn(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::warn)) write(Level::warn, fmt::format(format, std::forward<Args>(args)...));
}
template <class... Args>
void error(fmt::format_string<Args...> format, Args&&... args) {
  if (enabled(Level::error)) write(Level::error, fmt::format(format, std::forward<Args>(args)...));
}

/// Lets at most `burst` records through a window of one second of `now_s`, and counts the rest:
/// a misbehaving peer costs a line, not a log.
class Limiter {
 public:
  explicit Limiter(unsigned burst = 5) : burst_(burst) {}
  /// True when a record may be written; `suppressed()` then says how many were not since the last.
  bool allow();
  [[nodiscard]] std::uint64_t suppressed() const { return reported_; }

 private:
  unsigned burst_;
  unsigned used_ = 0;
  std::int64_t window_ = -1;
  std::uint64_t held_ = 0;
  std::uint64_t reported_ = 0;
};

}  // namespace aiot::log
