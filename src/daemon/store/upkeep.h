#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "core/base/time.h"
#include "daemon/store/database.h"
#include "daemon/store/head.h"

namespace aiot::store {

struct Limits {
  Duration max_age{};                                   ///< zero: for ever
  std::uint64_t max_bytes = 0;                          ///< zero: no bound
  std::uint64_t checkpoint_points = 500'000;            ///< in memory and in the log
  std::uint64_t checkpoint_bytes = 32UL * 1024 * 1024;  ///< of them
  std::uint32_t checkpoint_series = 50'000;             ///< points of one series, which one slice writes
  Duration checkpoint_age = std::chrono::minutes(10);
};

/// How long a job may go on, so that the next commit does not wait for it.
class Slice {
 public:
  [[nodiscard]] bool over() const { return std::chrono::steady_clock::now() >= end_; }

 private:
  std::chrono::steady_clock::time_point end_ =
      std::chrono::steady_clock::now() + std::chrono::milliseconds(5);
};

/// What the database needs from time to time, in slices: points go from the log to their series (a
/// checkpoint), what is too old or too much goes, and so does what belonged to forgotten nodes.
class Upkeep {
 public:
  Upkeep(Database& database, Head& head, const Limits& limits, std::uint64_t& expired)
      : database_(database), head_(head), limits_(limits), expired_(expired) {}

  /// One slice; true when there is more. A failure of the database ends it for now.
  bool run(WallTime now, std::int64_t last_arrival);
  [[nodiscard]] bool due() const;

 private:
  bool checkpoint(std::int64_t last_arrival);
  void write_series(SeriesId id, const Head::Series& series);
  void write_chunk(std::int64_t id, SeriesId series, const Block& block);
  bool drop_arrivals();
  bool drop_forgotten();
  bool drop_old(WallTime now);
  bool drop_excess();
  bool drop_chunks(const char* select, std::int64_t parameter);
  void drop_small(WallTime now);
  bool vacuum();

  Database& database_;
  Head& head_;
  const Limits& limits_;
  std::uint64_t& expired_;
  std::vector<SeriesId> writing_;  ///< by the checkpoint under way
  std::int64_t boundary_ = 0;      ///< the last arrival that it covers
  bool dropping_ = false;          ///< its arrivals
  std::chrono::steady_clock::time_point checkpointed_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::time_point dropped_small_{};
};

}  // namespace aiot::store
