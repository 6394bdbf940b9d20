#pragma once

#include <algorithm>

#include "core/base/random.h"
#include "core/base/time.h"

namespace aiot {

/// The waits between attempts: each twice the last up to a bound, and jittered, so that those who lost one
/// peer together do not return in step.
class Backoff {
 public:
  Backoff(Duration first, Duration last) : first_(first), last_(last), wait_(first) {}
  Duration next() {
    const Duration out = jittered(wait_);
    wait_ = std::min(wait_ * 2, last_);
    return out;
  }
  void reset() { wait_ = first_; }

 private:
  Duration first_, last_, wait_;
};

}  // namespace aiot
