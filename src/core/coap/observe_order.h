#pragma once

#include <cstdint>
#include <optional>

#include "core/base/time.h"

namespace aiot::coap {

/// Which of two notifications is the newer (RFC 7641 section 3.4).
class ObserveOrder {
 public:
  /// True when the notification with `sequence`, arrived at `now`, is newer than the last one accepted (the
  /// first always is); it is the last one then.
  bool accept(std::uint32_t sequence, TimePoint now);
  void reset() { last_.reset(); }

 private:
  struct Last {
    std::uint32_t sequence;
    TimePoint time;
  };
  std::optional<Last> last_;
};

/// Waits between attempts: doubling from `first` to `most`, each with up to half of it taken off at random.
class Backoff {
 public:
  explicit Backoff(Duration first = std::chrono::seconds(1), Duration most = std::chrono::seconds(60))
      : first_(first), most_(most), next_(first) {}
  Duration next();
  void reset() { next_ = first_; }

 private:
  Duration first_;
  Duration most_;
  Duration next_;
};

}  // namespace aiot::coap
