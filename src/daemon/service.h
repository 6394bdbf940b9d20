#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/completion.h"
#include "core/base/time.h"

namespace aiot {

class EventLoop;

/// What a daemon's main needs around its parts: signals, systemd, the ready line.
struct Service {
  EventLoop& loop;
  /// SIGTERM and SIGINT: drain, then `done`. A second signal or 5 s end the process all the same.
  UniqueFunction<void(Duration deadline, Completion<> done)> stop;
  UniqueFunction<void()> reload;  ///< SIGHUP; may be empty

  /// Prints the ready line ("aiot serve-broker ready: http 127.0.0.1:8000", or one JSON object
  /// {"event":"ready","command":...,"listeners":[{"name","address","port"}...]} with --log-format json),
  /// tells systemd READY=1 and keeps its watchdog fed, runs the loop. Returns the exit status (0 after
  /// a drain).
  int run(const std::string& command, const std::vector<std::pair<std::string, std::string>>& listeners);
};

}  // namespace aiot
