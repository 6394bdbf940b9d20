#pragma once

#include <chrono>
#include <memory>

#include "core/loop/event_loop.h"

namespace aiot::test {

/// A real loop that is run until something is true.
class TestLoop {
 public:
  TestLoop() : loop_(make_uv_loop()) {
    watchdog_ = loop_->make_timer([this] {
      expired_ = true;
      loop_->stop();
    });
  }
  [[nodiscard]] EventLoop& loop() { return *loop_; }

  /// Runs until `condition`, looked at every turn or millisecond; false when that takes longer than `limit`.
  template <class Condition>
  bool run_until(Condition condition, Duration limit = std::chrono::seconds(15)) {
    expired_ = false;
    watchdog_->start(limit);
    std::unique_ptr<Timer> ticker;
    ticker = loop_->make_timer([&] {
      if (condition()) {
        loop_->stop();
      } else {
        ticker->start(std::chrono::milliseconds(1));
      }
    });
    ticker->start(Duration(0));
    if (!condition()) loop_->run();
    watchdog_->stop();
    return !expired_;
  }
  /// Lets the loop turn for a while: to see that nothing happens.
  void run_for(Duration time) {
    run_until([] { return false; }, time);
  }

 private:
  std::unique_ptr<EventLoop> loop_;
  std::unique_ptr<Timer> watchdog_;
  bool expired_ = false;
};

}  // namespace aiot::test
