#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "daemon/store/arrival.h"
#include "daemon/store/block.h"

namespace aiot::store {

/// What the database does not have by series yet: the points and last values of the logs since the last
/// checkpoint. Pure.
class Head {
 public:
  struct Series {
    NodeId node = 0;
    std::int64_t applied = 0;  ///< logs up to this arrival are in the database
    Block points;              ///< since the last freeze()
    Block frozen;              ///< before it: a checkpoint writes them now
    std::string last;          ///< packed; when `last_changed`, and while loading
    WallTime last_time = WallTime::min();
    bool last_changed = false;  ///< since it was written; empty then means cleared
    bool listed = false;        ///< in what freeze() returns next
  };

  void add(SeriesId id, NodeId node, std::int64_t applied = 0, std::string_view last = {});
  /// With all its series.
  void remove(NodeId node);
  /// Takes in a log; records of series that are not there, or have it applied, are left out. False when it
  /// ends in what cannot be read.
  bool apply(std::string_view log, std::int64_t arrival);
  /// Points are gathered apart from here on; the series that changed since the last time.
  [[nodiscard]] std::vector<SeriesId> freeze();
  /// The series' frozen points and its last value are in the database now.
  void written(SeriesId id);
  /// Forgets the last values that load gave and nothing changed.
  void loaded();

  [[nodiscard]] Series* find(SeriesId id);
  [[nodiscard]] std::uint64_t points() const { return points_; }
  /// Of the logs since the last freeze().
  [[nodiscard]] std::uint64_t log_bytes() const { return log_bytes_; }
  /// The most points of one series since then.
  [[nodiscard]] std::uint32_t longest() const { return longest_; }

 private:
  static void set_last(Series& series, const ValueView& value);
  void list(SeriesId id, Series& series);

  std::unordered_map<SeriesId, Series> series_;
  std::unordered_map<NodeId, std::vector<SeriesId>> nodes_;
  std::vector<SeriesId> listed_;
  std::uint64_t points_ = 0;
  std::uint64_t log_bytes_ = 0;
  std::uint32_t longest_ = 0;
};

}  // namespace aiot::store
