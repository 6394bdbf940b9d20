#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "cli/broker_api.h"
#include "cli/time_range.h"
#include "core/base/function.h"

namespace aiot::cli {

/// What GET /api/v1/history is asked.
struct HistoryQuery {
  std::string uid, resource;
  TimeRange range;
  Duration step{};        ///< zero: every value
  std::size_t limit = 0;  ///< 0: all
  bool raw = false;       ///< the bytes of values, as import takes them
};

/// Reads the history of one resource page by page, in its order; no more than a page is held.
class HistoryReader {
 public:
  using Point = nlohmann::ordered_json;

  HistoryReader(BrokerApi api, HistoryQuery query, UniqueFunction<void(const Point&)> point,
                UniqueFunction<void(Result<std::size_t>)> done);
  /// `point` is called with each, `done` with how many there were; it may destroy the reader.
  /// A reader that is destroyed calls nothing.
  void start() { ask({}); }

 private:
  void ask(const std::string& cursor);
  void answered(Result<Point> page);
  /// The next page's cursor; empty after the last.
  Result<std::string> take(const Point& page);

  BrokerApi api_;
  HistoryQuery query_;
  UniqueFunction<void(const Point&)> point_;
  UniqueFunction<void(Result<std::size_t>)> done_;
  std::size_t seen_ = 0;
  Operation operation_;
};

}  // namespace aiot::cli
