#pragma once

#include <algorithm>
#include <cstdint>

#include "core/base/time.h"

namespace aiot::gateway {

/// How long the broker owes an acknowledgement: from when something was first sent, or from its last one.
/// Pure.
class AcknowledgeWatch {
 public:
  explicit AcknowledgeWatch(Duration limit) : limit_(limit) {}

  /// So many items are sent and not acknowledged: told after each acknowledgement and after sending.
  void tell(std::uint64_t in_flight, TimePoint now) {
    if (in_flight_ == 0 || in_flight < in_flight_) since_ = now;
    in_flight_ = in_flight;
  }
  [[nodiscard]] bool overdue(TimePoint now) const { return in_flight_ > 0 && now - since_ >= limit_; }
  /// When to look again.
  [[nodiscard]] Duration wait(TimePoint now) const {
    return in_flight_ == 0 ? limit_ : std::max<Duration>(limit_ - (now - since_), Duration(0));
  }

 private:
  Duration limit_;
  std::uint64_t in_flight_ = 0;
  TimePoint since_{};
};

}  // namespace aiot::gateway
