#pragma once

#include <cstddef>

#include "core/base/result.h"

namespace aiot::cli {

/// Exit statuses, the same for every command (aiot(1), "Exit status").
enum ExitStatus : int {
  kDone = 0,
  kInternal = 1,
  kUsage = 2,
  kUnreachable = 3,
  kTimeout = 4,
  kRejected = 5,
  kPeerFailed = 6,
  kUnauthorized = 7,
  kPartial = 8,
};

[[nodiscard]] int exit_status(Errc code);

/// Counts how targets (or messages) went: all failed is the first one's status, some is kPartial.
class Tally {
 public:
  void succeeded() { ++succeeded_; }
  /// `index`: the target's place among the arguments; the lowest decides.
  void failed(std::size_t index, Errc code);
  [[nodiscard]] std::size_t failures() const { return failed_; }
  [[nodiscard]] std::size_t total() const { return succeeded_ + failed_; }
  [[nodiscard]] int status() const;

 private:
  std::size_t succeeded_ = 0;
  std::size_t failed_ = 0;
  std::size_t first_index_ = 0;
  Errc first_ = Errc::internal;
};

}  // namespace aiot::cli
