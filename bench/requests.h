#pragma once

#include <unistd.h>

#include <fstream>
#include <sstream>
#include <utility>

#include "support.h"

namespace bench {

/// What every load takes, and what is its own.
inline Options load_options(int argc, char** argv, std::map<std::string, std::string> own) {
  own.merge(std::map<std::string, std::string>{{"prefix", "load"},
                                               {"nodes", "1"},
                                               {"window", "256"},
                                               {"seconds", "3"},
                                               {"rate", "0"},
                                               {"pids", ""},
                                               {"join-patience", "60"}});
  return {argc, argv, std::move(own)};
}

/// Seconds of processor time that the processes in `pids` ("12,13") have used so far.
inline double cpu_seconds(const std::string& pids) {
  std::istringstream list(pids);
  double ticks = 0;
  for (std::string pid; std::getline(list, pid, ',');) {
    std::ifstream file("/proc/" + pid + "/stat");
    std::string text;
    std::getline(file, text);
    std::istringstream fields(text.substr(std::min(text.rfind(')') + 1, text.size())));
    std::string field;
    for (int i = 0; fields >> field && i < 13; ++i) {  // the 12th and 13th after the name: user and system
      if (i == 11 || i == 12) ticks += std::atof(field.c_str());
    }
  }
  return ticks / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

/// Requests under way, each with the time at which it was due: what latency counts from. One without an
/// answer within a second is lost. Sequence numbers start at the time, so that no other run has the same.
class Requests {
 public:
  static constexpr std::size_t kTable = 1 << 17;  ///< outstanding requests at most
  static constexpr std::uint64_t kLostAfterUs = 1'000'000;

  /// Remembers one more; `tag` is for who sends it. Its sequence number.
  std::uint64_t remember(std::uint64_t due_us, std::uint16_t tag = 0) {
    const auto sequence = next_sequence_++;
    auto& slot = table_[sequence % kTable];
    if (slot.waiting) lose(slot);
    slot = {sequence, due_us, tag, true};
    ++outstanding_;
    ++sent_;
    return sequence;
  }
  /// The tag of a request that waits; an answer to another is late and counted so.
  bool find(std::uint64_t sequence, std::uint16_t& tag) {
    const auto& slot = table_[sequence % kTable];
    if (!slot.waiting || slot.sequence != sequence) {
      ++late_;
      return false;
    }
    tag = slot.tag;
    return true;
  }
  [[nodiscard]] bool waits(std::uint64_t sequence) const {
    const auto& slot = table_[sequence % kTable];
    return slot.waiting && slot.sequence == sequence;
  }
  /// The answer to a request that waits has come.
  void settle(std::uint64_t sequence, std::uint64_t now) {
    auto& slot = table_[sequence % kTable];
    slot.waiting = false;
    --outstanding_;
    ++answered_;
    latency_.add(now > slot.due_us ? now - slot.due_us : 0);
  }
  void late() { ++late_; }
  void wrong() { ++wrong_; }
  void refused() { ++refused_; }
  [[nodiscard]] std::size_t outstanding() const { return outstanding_; }
  [[nodiscard]] bool clean() const { return wrong_ == 0 && refused_ == 0; }

  /// As fast as `window` outstanding requests go, or at `rate` a second if that is not 0.
  /// `send(due_us)` sends one, or says false when nobody may; `receive(until_us)` lets what was sent leave
  /// and takes what has come, waiting at most until then for the first. `pids`: whose processor time print()
  /// tells.
  template <class Send, class Receive>
  void run(double seconds, double rate, std::size_t window, const std::string& pids, Send&& send,
           Receive&& receive) {
    cpu_start_ = cpu_seconds(pids);
    const auto start = start_us_ = now_us();
    const auto end = start + static_cast<std::uint64_t>(seconds * 1e6);
    const auto due_at = [&](std::uint64_t count) {
      return start + static_cast<std::uint64_t>(static_cast<double>(count) * 1e6 / rate);
    };
    auto sweep_at = start + kLostAfterUs / 4;
    for (;;) {
      const auto now = now_us();
      if (now >= end) break;
      if (rate > 0) {
        const auto due = static_cast<std::uint64_t>(static_cast<double>(now - start) * rate / 1e6);
        while (sent_ < due && outstanding_ < kTable / 2 && send(due_at(sent_))) {
        }
        receive(std::min(due_at(sent_ + 1), end));
      } else {
        while (outstanding_ < window && send(now)) {
        }
        receive(now + 1000);
      }
      if (now > sweep_at) {
        sweep(now);
        sweep_at = now + kLostAfterUs / 4;
      }
    }
    seconds_ = static_cast<double>(now_us() - start) / 1e6;
    answered_in_time_ = answered_;
    // What is still under way may come; then it is lost.
    const auto grace = now_us() + kLostAfterUs;
    while (outstanding_ > 0 && now_us() < grace) receive(now_us() + 10'000);
    lost_ += outstanding_;
  }

  /// Forgets what was counted, after a run that only warmed up.
  void forget() {
    sent_ = answered_ = answered_in_time_ = lost_ = late_ = 0;
    outstanding_ = 0;
    for (auto& slot : table_) slot.waiting = false;
    latency_ = {};
  }

  /// One line of JSON; `more` goes before what is counted here: `"name":1,`.
  void print(std::size_t nodes, double join_seconds, const std::string& more = {}) const {
    const auto ull = [](std::uint64_t value) { return static_cast<unsigned long long>(value); };
    std::printf(
        "{\"nodes\":%zu,\"join_seconds\":%.3f,%s\"start_us\":%llu,\"cpu_start\":%.3f,\"seconds\":%.3f,"
        "\"sent\":%llu,\"answered\":%llu,\"lost\":%"
        "llu,"
        "\"wrong\":%llu,\"refused\":%llu,\"late\":%llu,\"rate\":%.0f,\"p50_us\":%.0f,\"p99_us\":%.0f,"
        "\"p999_us\":%.0f,\"max_us\":%llu}\n",
        nodes, join_seconds, more.c_str(), ull(start_us_), cpu_start_, seconds_, ull(sent_), ull(answered_),
        ull(lost_), ull(wrong_), ull(refused_), ull(late_),
        static_cast<double>(answered_in_time_) / std::max(seconds_, 1e-9), latency_.at(0.5),
        latency_.at(0.99), latency_.at(0.999), ull(latency_.most()));
  }

 private:
  struct Slot {
    std::uint64_t sequence = 0;
    std::uint64_t due_us = 0;
    std::uint16_t tag = 0;
    bool waiting = false;
  };
  void lose(Slot& slot) {
    slot.waiting = false;
    --outstanding_;
    ++lost_;
  }
  /// Counts as lost what has waited too long, oldest first.
  void sweep(std::uint64_t now) {
    for (; oldest_ < next_sequence_; ++oldest_) {
      auto& slot = table_[oldest_ % kTable];
      if (slot.sequence != oldest_ || !slot.waiting) continue;
      if (slot.due_us + kLostAfterUs > now) return;
      lose(slot);
    }
  }

  std::vector<Slot> table_ = std::vector<Slot>(kTable);
  std::uint64_t next_sequence_ = now_us();
  std::uint64_t oldest_ = next_sequence_;  ///< nothing before it waits
  std::size_t outstanding_ = 0;
  std::uint64_t sent_ = 0, answered_ = 0, answered_in_time_ = 0, lost_ = 0, wrong_ = 0, refused_ = 0,
                late_ = 0;
  std::uint64_t start_us_ = 0;
  double seconds_ = 0, cpu_start_ = 0;
  Histogram latency_;
};

}  // namespace bench
