#include "core/base/log.h"

#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <string>

#include "core/base/text.h"
#include "core/base/time.h"

namespace aiot::log {

namespace {

std::atomic<Level> minimum{Level::warn};
std::atomic<Format> style{Format::text};

std::string_view name(Level level) {
  switch (level) {
    case Level::debug: return "debug";
    case Level::info: return "info";
    case Level::warn: return "warning";
    case Level::error: break;
  }
  return "error";
}

}  // namespace

void set_level(Level level) { minimum.store(level, std::memory_order_relaxed); }
void set_format(Format format) { style.store(format, std::memory_order_relaxed); }
bool enabled(Level level) { return level >= minimum.load(std::memory_order_relaxed); }
Format format() { return style.load(std::memory_order_relaxed); }

void write(Level level, std::string_view message) {
  std::string line;
  if (format() == Format::json) {
    const auto now = std::chrono::floor<std::chrono::milliseconds>(std::chrono::system_clock::now());
    line += R"({"time":")";
    line += format_utc(now);
    line += R"(","level":")";
    line += name(level);
    line += R"(","message":")";
    text::append_json_escaped(line, message);
    line += "\"}\n";
  } else {
    line += "aiot: ";
    line += name(level);
    line += ": ";
    line += text::escape_controls(message);
    line += '\n';
  }
  // One write a line, so that lines of several processes on one terminal or journal do not mix.
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t wrote = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote <= 0) return;  // nobody to tell
    rest.remove_prefix(static_cast<std::size_t>(wrote));
  }
}

bool Limiter::allow() {
  const std::int64_t now =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::steady_clock::now().time_since_epoch())
          .count();
  if (now != window_) {
    window_ = now;
    used_ = 0;
  }
  if (used_ >= burst_) {
    ++held_;
    return false;
  }
  ++used_;
  reported_ = held_;
  held_ = 0;
  return true;
}

}  // namespace aiot::log
