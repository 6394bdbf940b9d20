#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/archive.h"
#include "daemon/store/query.h"

namespace aiot::store {

inline constexpr std::size_t kMaxHistoryPage = 100'000;  ///< points or buckets; a larger limit means this
inline constexpr std::uint64_t kMaxPageBytes = 8UL * 1024 * 1024;  ///< of values, beside the first

/// Where a page begins: at the points of that time, of which the first `skip` were in the page before.
struct Cursor {
  WallTime time{};
  std::uint64_t skip = 0;
};
[[nodiscard]] std::string format_cursor(const Cursor& cursor);
/// Errc::usage for what format_cursor() did not write.
[[nodiscard]] Result<Cursor> parse_cursor(std::string_view text);

/// Merges what the database and the head have of one series, block by block in the order of their earliest
/// points.
class HistoryRun final : public Query {
 public:
  HistoryRun(HistoryQuery query, SeriesId series, Cursor cursor, Completion<HistoryPage> done)
      : query_(std::move(query)), series_(series), cursor_(cursor), done_(std::move(done)) {}

  bool run(Archive& archive) override;
  void answer() override { done_(std::move(page_)); }
  void fail(Error error) override { done_(std::move(error)); }

 private:
  void dismiss() override { done_.dismiss(); }
  /// A block as it was when the query began: what a checkpoint appends later is in the head's copy already.
  struct Piece {
    std::int64_t chunk = 0;  ///< its id; 0: `points` has it
    WallTime first, last;
    std::uint32_t count = 0;
    std::string points;
    std::uint32_t rank = 0;  ///< order of arrival
  };
  struct Found {
    Value value;
    std::uint64_t order = 0;
  };
  struct Gathered {
    Bucket bucket;
    WallTime last = WallTime::min();
    std::uint64_t order = 0;
  };

  void begin(Archive& archive);
  void read(Archive& archive, const Piece& piece);
  void add_point(const ValueView& value, std::uint64_t order);
  void add_to_bucket(const ValueView& value, std::uint64_t order);
  /// Nothing from `next` on changes the page.
  bool complete(WallTime next);
  void trim();
  void finish();
  [[nodiscard]] std::size_t wanted() const { return cursor_.skip + query_.limit + 1; }

  HistoryQuery query_;
  SeriesId series_;
  Cursor cursor_;
  Completion<HistoryPage> done_;
  bool begun_ = false;
  std::vector<Piece> pieces_;
  std::size_t next_ = 0;
  std::vector<Found> found_;
  WallTime latest_ = WallTime::min();  ///< of `found_`
  std::uint64_t found_bytes_ = 0;
  std::map<std::int64_t, Gathered> buckets_;
  Gathered* bucket_ = nullptr;  ///< of the point before
  HistoryPage page_;
};

}  // namespace aiot::store
