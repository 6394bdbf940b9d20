#pragma once

#include <cstddef>
#include <string>
#include <unordered_map>

#include "core/base/time.h"

namespace aiot::broker {

/// How often somebody may try a password: a few at once, then one from time to time. Pure.
class AttemptLimits {
 public:
  struct Rate {
    unsigned burst;
    Duration every;  ///< one more
  };
  static constexpr std::size_t kMaxKnown = 10'000;

  explicit AttemptLimits(Rate rate) : rate_(rate) {}
  /// Takes one attempt of `who`; zero, or how long to wait for the next.
  [[nodiscard]] Duration take(const std::string& who, TimePoint now);
  /// It was right: it does not count.
  void forgive(const std::string& who) { spent_.erase(who); }
  [[nodiscard]] std::size_t size() const { return spent_.size(); }

 private:
  Rate rate_;
  /// When all attempts are there again. Beyond the bound those that have most left are forgotten.
  std::unordered_map<std::string, TimePoint> spent_;
};

}  // namespace aiot::broker
