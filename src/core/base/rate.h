#pragma once

#include <algorithm>
#include <cmath>

#include "core/base/time.h"

namespace aiot {

/// So many a second on average, and `burst` at once; zero a second is no limit.
struct Rate {
  double per_second = 0;
  double burst = 1;

  [[nodiscard]] bool limited() const { return per_second > 0; }
  [[nodiscard]] Duration time_of(double count) const {
    return Duration(std::llround(count / per_second * static_cast<double>(Duration::period::den)));
  }
};

/// What was counted against a Rate: a token bucket, kept as the time at which it would be full. Pure.
class RateMeter {
 public:
  /// Counts one when it is within the rate; false, and nothing counted, when it is not.
  bool take(const Rate& rate, TimePoint now) {
    if (!rate.limited()) return true;
    const auto full = std::max(full_, now) + rate.time_of(1);
    if (full - now > rate.time_of(rate.burst)) return false;
    full_ = full;
    return true;
  }
  /// Counts `count` in any case; how long until the rate is kept again, zero when it is.
  Duration charge(const Rate& rate, TimePoint now, double count) {
    if (!rate.limited()) return {};
    full_ = std::max(full_, now) + rate.time_of(count);
    return std::max(Duration::zero(), full_ - now - rate.time_of(rate.burst));
  }
  /// How long until take() succeeds.
  [[nodiscard]] Duration wait(const Rate& rate, TimePoint now) const {
    if (!rate.limited()) return {};
    return std::max(Duration::zero(), full_ - now + rate.time_of(1) - rate.time_of(rate.burst));
  }

 private:
  TimePoint full_{};
};

}  // namespace aiot
