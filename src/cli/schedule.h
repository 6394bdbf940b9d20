#pragma once

#include <cstddef>
#include <deque>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/base/function.h"

namespace aiot::cli {

/// Starts many jobs, at most `parallel` at a time and one at a time to a host (RFC 7252 section 4.7, NSTART),
/// in their order as far as that allows. Pure.
class Schedule {
 public:
  /// `start(index)` begins job `index`; it must lead to one finished(index), later.
  Schedule(std::size_t parallel, std::vector<std::string> hosts, UniqueFunction<void(std::size_t)> start);

  /// Starts what may start.
  void go();
  /// Job `index` is done: its host and place are free.
  void finished(std::size_t index);
  [[nodiscard]] bool done() const { return left_ == 0; }

 private:
  struct Host {
    bool busy = false;
    std::deque<std::size_t> waiting;
  };
  std::size_t parallel_;
  std::vector<std::string> hosts_;
  UniqueFunction<void(std::size_t)> start_;
  std::unordered_map<std::string, Host> table_;
  std::deque<std::size_t> ready_;  ///< jobs whose host is free
  std::size_t running_ = 0;
  std::size_t left_;
};

}  // namespace aiot::cli
