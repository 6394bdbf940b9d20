#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/loop/event_loop.h"

namespace aiot {

/// A loop for tests: time moves only by advance(), timers fire in order of deadline and then of
/// arming, posts run by run_posted() (which advance() calls). It has no descriptors: watch() and
/// watch_signal() return inert objects. resolve() answers numeric hosts, all else is not found.
class FakeLoop final : public EventLoop {
 public:
  FakeLoop();
  ~FakeLoop() override;

  [[nodiscard]] TimePoint now() const override { return now_; }
  [[nodiscard]] WallTime wall_now() const override { return wall_; }
  void post(UniqueFunction<void()> function) override;
  void post_from_thread(UniqueFunction<void()> function) override;
  std::unique_ptr<Timer> make_timer(UniqueFunction<void()> function) override;
  std::unique_ptr<FdWatch> watch(int fd, unsigned events, UniqueFunction<void(unsigned)> function) override;
  std::unique_ptr<SignalWatch> watch_signal(int signal, UniqueFunction<void()> function) override;
  Operation work(UniqueFunction<void()> job, UniqueFunction<void()> done) override;
  Operation resolve(const std::string& host, std::uint16_t port,
                    Completion<std::vector<SocketAddress>> done) override;
  /// Runs posts and timers until nothing is left or stop().
  void run() override;
  void stop() override { stopped_ = true; }
  void* native() override { return nullptr; }

  /// Runs everything posted, including what that posts; returns how many ran.
  std::size_t run_posted();
  /// Moves time by `by`, firing what falls due in order.
  void advance(Duration by);
  /// Steps the wall clock without the monotonic one.
  void set_wall(WallTime wall) { wall_ = wall; }
  [[nodiscard]] std::size_t armed_timers() const;

 private:
  class FakeTimer;
  struct Shared;
  bool fire_next(TimePoint limit);
  void move_to(TimePoint to);

  std::shared_ptr<Shared> shared_;
  TimePoint now_{};
  WallTime wall_;
  std::deque<UniqueFunction<void()>> posted_;
  bool stopped_ = false;
};

}  // namespace aiot
