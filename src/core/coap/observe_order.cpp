#include "core/coap/observe_order.h"

#include <algorithm>

#include "core/base/random.h"

namespace aiot::coap {
namespace {

constexpr std::uint32_t kHalf = 1U << 23;
/// After this long an older-looking sequence is taken for one that wrapped.
constexpr auto kWrap = std::chrono::seconds(128);

}  // namespace

bool ObserveOrder::accept(std::uint32_t sequence, TimePoint now) {
  if (last_) {
    const auto before = last_->sequence;
    const bool newer = (before < sequence && sequence - before < kHalf) ||
                       (before > sequence && before - sequence > kHalf) || now > last_->time + kWrap;
    if (!newer) return false;
  }
  last_ = Last{sequence, now};
  return true;
}

Duration Backoff::next() {
  const auto wait = next_;
  next_ = std::min(next_ * 2, most_);
  return jittered(wait);
}

}  // namespace aiot::coap
