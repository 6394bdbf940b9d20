#include "daemon/broker/attempt_limits.h"

#include <algorithm>

namespace aiot::broker {

Duration AttemptLimits::take(const std::string& who, TimePoint now) {
  if (spent_.size() >= kMaxKnown && spent_.find(who) == spent_.end()) {
    std::erase_if(spent_, [&](const auto& entry) { return entry.second <= now; });
    // All of them under way at once: the new one shares one count with every other that is new.
    if (spent_.size() >= kMaxKnown) return who.empty() ? rate_.every : take({}, now);
  }
  TimePoint& whole_again = spent_[who];
  const TimePoint begin = std::max(whole_again, now);
  const TimePoint allowed_until = now + rate_.every * rate_.burst;
  if (begin + rate_.every > allowed_until) return begin + rate_.every - allowed_until;
  whole_again = begin + rate_.every;
  return Duration::zero();
}

}  // namespace aiot::broker
