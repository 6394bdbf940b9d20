#pragma once

#include <array>
#include <cstdint>

namespace aiot::broker {

/// Durations in seconds, in the buckets that /metrics shows.
struct Histogram {
  static constexpr std::array kBounds = {0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                         0.25,  0.5,    1.0,   2.5,  5.0,   10.0};
  std::array<std::uint64_t, kBounds.size()> counts{};  ///< not cumulative
  std::uint64_t count = 0;
  double sum = 0;

  void observe(double seconds) {
    ++count;
    sum += seconds;
    for (std::size_t i = 0; i < kBounds.size(); ++i) {
      if (seconds > kBounds[i]) continue;
      ++counts[i];
      return;
    }
  }
};

}  // namespace aiot::broker
