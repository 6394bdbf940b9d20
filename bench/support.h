#pragma once

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <map>
#include <string>
#include <string_view>
#include <vector>

/// What the programs of bench/ share: options, the clock, and percentiles. They use no code of the program
/// that they measure.
namespace bench {

inline std::uint64_t now_us() {
  return static_cast<std::uint64_t>(std::chrono::duration_cast<std::chrono::microseconds>(
                                        std::chrono::steady_clock::now().time_since_epoch())
                                        .count());
}

[[noreturn]] inline void die(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  std::exit(1);
}

[[noreturn]] inline void die_errno(const char* what) {
  std::perror(what);
  std::exit(1);
}

/// `--name value` and `--flag` options; every one must be known.
class Options {
 public:
  Options(int argc, char** argv, const std::map<std::string, std::string>& defaults) : values_(defaults) {
    for (int i = 1; i < argc; ++i) {
      const std::string_view word = argv[i];
      if (word.substr(0, 2) != "--") die("not an option: " + std::string(word));
      const auto found = values_.find(std::string(word.substr(2)));
      if (found == values_.end()) die("unknown option: " + std::string(word));
      const bool flag = found->second == "no" || found->second == "yes";
      if (flag) {
        found->second = "yes";
      } else if (++i < argc) {
        found->second = argv[i];
      } else {
        die("no value for " + std::string(word));
      }
    }
  }
  [[nodiscard]] const std::string& text(const std::string& name) const { return values_.at(name); }
  [[nodiscard]] double number(const std::string& name) const { return std::atof(values_.at(name).c_str()); }
  [[nodiscard]] std::size_t count(const std::string& name) const {
    return static_cast<std::size_t>(std::max(0.0, number(name)));
  }
  [[nodiscard]] bool flag(const std::string& name) const { return values_.at(name) == "yes"; }

 private:
  std::map<std::string, std::string> values_;
};

/// Durations in microseconds, in buckets of less than 1.6 % width: bounded memory however long it runs.
class Histogram {
 public:
  void add(std::uint64_t us) {
    ++counts_[bucket(us)];
    ++total_;
    most_ = std::max(most_, us);
  }
  [[nodiscard]] std::uint64_t total() const { return total_; }
  [[nodiscard]] std::uint64_t most() const { return most_; }
  /// The value that `share` of all are at most; 0 for none.
  [[nodiscard]] double at(double share) const {
    if (total_ == 0) return 0;
    auto left = static_cast<std::uint64_t>(std::ceil(share * static_cast<double>(total_)));
    for (std::size_t i = 0; i < counts_.size(); ++i) {
      if (counts_[i] >= left) return value(i);
      left -= counts_[i];
    }
    return static_cast<double>(most_);
  }

 private:
  static constexpr unsigned kSub = 64;
  static std::size_t bucket(std::uint64_t us) {
    if (us < kSub) return us;
    const auto power = 63U - static_cast<unsigned>(__builtin_clzll(us));
    const auto shift = power - 6;
    return std::min<std::size_t>(kSub + shift * kSub + ((us >> shift) - kSub), kBuckets - 1);
  }
  static double value(std::size_t index) {
    if (index < kSub) return static_cast<double>(index);
    const auto shift = (index - kSub) / kSub;
    const auto sub = (index - kSub) % kSub + kSub;
    return (static_cast<double>(sub) + 0.5) * static_cast<double>(1ULL << shift);
  }
  static constexpr std::size_t kBuckets = 64 * 40;
  std::vector<std::uint64_t> counts_ = std::vector<std::uint64_t>(kBuckets);
  std::uint64_t total_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace bench
