#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>

#include "core/base/random.h"
#include "core/base/time.h"

namespace aiot::simulator {

/// Who joins next: not all at once, so that no receive buffer and no backlog overflows.
class JoinQueue {
 public:
  void add(std::uint32_t node) { waiting_.push_back(node); }
  /// Calls `begin(node)` for as many as may be under way.
  template <class Function>
  void go_on(Function&& begin) {
    while (under_way_ < kAtOnce && !waiting_.empty()) {
      const auto node = waiting_.front();
      waiting_.pop_front();
      ++under_way_;
      begin(node);
    }
  }
  void ended() { --under_way_; }

 private:
  static constexpr std::size_t kAtOnce = 128;
  std::deque<std::uint32_t> waiting_;
  std::size_t under_way_ = 0;
};

/// Somewhere in the interval, so that nodes do not speak in step.
inline Duration random_part(Duration interval) {
  if (interval <= Duration::zero()) return Duration::zero();
  return Duration(static_cast<Duration::rep>(random_u64() % static_cast<std::uint64_t>(interval.count())));
}

}  // namespace aiot::simulator
