#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/base/function.h"
#include "core/base/time.h"

namespace aiot {

/// A one-shot timer; destroying or stopping it means it never fires.
class Timer {
 public:
  virtual ~Timer() = default;
  /// Arms it (again) to call its function `delay` from the loop's now; 0 is the next turn.
  virtual void start(Duration delay) = 0;
  virtual void stop() = 0;
  [[nodiscard]] virtual bool armed() const = 0;
};

/// Watches a descriptor it does not own. Destroy it before, or in the turn in which, the descriptor
/// is closed.
class FdWatch {
 public:
  enum Events : unsigned { kReadable = 1, kWritable = 2, kHangup = 4 };
  virtual ~FdWatch() = default;
  /// Replaces the events watched for; 0 pauses.
  virtual void set(unsigned events) = 0;
};

/// Watches a signal of the process.
class SignalWatch {
 public:
  virtual ~SignalWatch() = default;
};

/// The one loop of a process: everything runs on its thread, and every callback on a turn of its own.
/// Objects made by a loop must be gone before the loop is.
class EventLoop {
 public:
  virtual ~EventLoop() = default;

  /// The monotonic time of this turn.
  [[nodiscard]] virtual TimePoint now() const = 0;
  /// The wall clock, read at the call.
  [[nodiscard]] virtual WallTime wall_now() const = 0;

  /// Calls `function` on the next turn. Only from the loop's thread.
  virtual void post(UniqueFunction<void()> function) = 0;
  /// The same, from any thread.
  virtual void post_from_thread(UniqueFunction<void()> function) = 0;

  virtual std::unique_ptr<Timer> make_timer(UniqueFunction<void()> function) = 0;
  /// Calls `function(events)` whenever `fd` has one of `events`.
  virtual std::unique_ptr<FdWatch> watch(int fd, unsigned events,
                                         UniqueFunction<void(unsigned)> function) = 0;
  virtual std::unique_ptr<SignalWatch> watch_signal(int signal, UniqueFunction<void()> function) = 0;

  /// Runs `job` on a worker thread, then `done` on the loop. Cancelling drops `done`; `job` may still run.
  virtual Operation work(UniqueFunction<void()> job, UniqueFunction<void()> done) = 0;

  /// Resolves `host` (a name or a numeric address, with optional zone) off the loop; never empty on success.
  /// Errc::unreachable when the name is not found.
  virtual Operation resolve(const std::string& host, std::uint16_t port,
                            Completion<std::vector<SocketAddress>> done) = 0;

  /// Runs until stop(); then closes what the loop itself holds.
  virtual void run() = 0;
  virtual void stop() = 0;

  /// The uv_loop_t, for libraries that run on a foreign loop; null on a fake loop.
  virtual void* native() = 0;
};

/// The real loop, on libuv. Its destructor checks that uv_loop_close() finds nothing left, logs an
/// error if not, and aborts in builds with assertions.
std::unique_ptr<EventLoop> make_uv_loop();

}  // namespace aiot
