#pragma once

#include <memory>

#include "core/base/function.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

class Context;

/// Runs the loop for a command until it finishes, a signal arrives or nobody reads stdout any more.
///
/// SIGINT and SIGTERM end run(); main then destroys command and context and ends the process by the same
/// signal, so that a shell's loop stops too. A closed stdout ends it with status 0.
class Runner {
 public:
  explicit Runner(Context& context);
  ~Runner();
  Runner(const Runner&) = delete;
  Runner& operator=(const Runner&) = delete;

  /// Ends run() with `status`; the first call counts. Also before run().
  void finish(int status);
  [[nodiscard]] bool finished() const { return finished_; }
  /// Called once when a signal or a closed stdout ends the command, before run() returns: the place to
  /// cancel what should say good-bye (deregister observations).
  void on_interrupt(UniqueFunction<void()> function) { on_interrupt_ = std::move(function); }
  /// Returns the status to exit with. Run it once.
  int run();

 private:
  void interrupt(int signal);
  void stdout_gone();

  Context& context_;
  UniqueFunction<void()> on_interrupt_;
  std::unique_ptr<SignalWatch> sigint_;
  std::unique_ptr<SignalWatch> sigterm_;
  std::unique_ptr<FdWatch> stdout_watch_;
  int status_ = 0;
  bool finished_ = false;
};

}  // namespace aiot::cli
