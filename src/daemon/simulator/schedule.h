#pragma once

#include <cstdint>
#include <functional>
#include <queue>
#include <tuple>
#include <vector>

#include "core/base/time.h"

namespace aiot::simulator {

/// What is due for a node.
enum class Due : std::uint8_t { alive, post, retransmit };

/// When each node does what next, earliest first. An entry is never removed: its round number tells
/// whether it still means something when it comes up.
class Schedule {
 public:
  struct Entry {
    TimePoint at;
    std::uint32_t node = 0;
    std::uint32_t round = 0;
    Due due = Due::alive;
    friend bool operator>(const Entry& a, const Entry& b) {
      return std::tie(a.at, a.node) > std::tie(b.at, b.node);
    }
  };

  void add(Entry entry) { entries_.push(entry); }
  [[nodiscard]] bool empty() const { return entries_.empty(); }
  [[nodiscard]] TimePoint next() const { return entries_.top().at; }
  /// Takes the earliest entry that is due by `now`; false when none is.
  bool take(TimePoint now, Entry& entry) {
    if (entries_.empty() || entries_.top().at > now) return false;
    entry = entries_.top();
    entries_.pop();
    return true;
  }

 private:
  std::priority_queue<Entry, std::vector<Entry>, std::greater<>> entries_;
};

}  // namespace aiot::simulator
