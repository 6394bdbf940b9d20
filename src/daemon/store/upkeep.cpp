#include "daemon/store/upkeep.h"

#include <algorithm>

#include "daemon/store/streams.h"

namespace aiot::store {
namespace {

constexpr int kChunkBits = 24;  ///< of a chunk's id, its number within the series
constexpr std::int64_t kMaxEvents = 1'000'000;
constexpr std::int64_t kMaxWrites = 65'536;
constexpr auto kWriteAge = std::chrono::hours(24);
constexpr auto kSmallInterval = std::chrono::seconds(10);
constexpr std::int64_t kPageBytes = 4096;
constexpr std::int64_t kFreePages = 8192;  ///< kept, since the next arrivals fill them again

}  // namespace

bool Upkeep::due() const {
  if (!writing_.empty() || dropping_) return true;
  if (head_.log_bytes() == 0) return false;
  const std::uint64_t bytes =
      limits_.max_bytes == 0
          ? limits_.checkpoint_bytes
          : std::min(limits_.checkpoint_bytes, std::max<std::uint64_t>(limits_.max_bytes / 8, 1));
  return head_.points() >= limits_.checkpoint_points || head_.log_bytes() >= bytes ||
         head_.longest() >= limits_.checkpoint_series ||
         std::chrono::steady_clock::now() - checkpointed_ >= limits_.checkpoint_age;
}

bool Upkeep::run(WallTime now, std::int64_t last_arrival) {
  database_.clear();
  if (due()) return checkpoint(last_arrival);
  if (drop_forgotten() || drop_old(now) || drop_excess() || vacuum()) return database_.good();
  if (const auto time = std::chrono::steady_clock::now(); time - dropped_small_ >= kSmallInterval) {
    dropped_small_ = time;
    drop_small(now);
  }
  return false;
}

bool Upkeep::checkpoint(std::int64_t last_arrival) {
  if (dropping_) return drop_arrivals();
  if (writing_.empty()) {
    writing_ = head_.freeze();
    boundary_ = last_arrival;
    checkpointed_ = std::chrono::steady_clock::now();
  }
  // A series and the fact that it has these arrivals go together: after a crash no point is there twice.
  const Slice slice;
  std::size_t done = 0;
  database_.begin();
  while (done < writing_.size() && database_.good() && (done == 0 || !slice.over())) {
    const SeriesId id = writing_[writing_.size() - ++done];
    if (const Head::Series* series = head_.find(id)) write_series(id, *series);
  }
  if (!database_.commit()) return false;
  for (; done > 0; --done) {
    head_.written(writing_.back());
    writing_.pop_back();
  }
  dropping_ = writing_.empty();
  return true;
}

void Upkeep::write_series(SeriesId id, const Head::Series& series) {
  if (!series.frozen.empty()) {
    const std::int64_t base = static_cast<std::int64_t>(id) << kChunkBits;
    std::int64_t chunk = base;
    Block block;
    {
      Rows tail = database_.query(
          "SELECT id, first, last, \"end\", count, points FROM chunk WHERE id >= ? AND id < ? ORDER BY id "
          "DESC LIMIT 1",
          base, base + (std::int64_t{1} << kChunkBits));
      if (tail.next()) {
        chunk = tail.integer(0) + 1;
        auto points = tail.integer(4) < kBlockPoints ? unpack_points(tail.bytes(5)) : std::nullopt;
        if (points && points->size() < kBlockBytes) {
          --chunk;
          block = {std::move(*points), to_time(tail.integer(1)), to_time(tail.integer(2)),
                   to_time(tail.integer(3)), static_cast<std::uint32_t>(tail.integer(4))};
        }
      }
    }
    each_point(series.frozen.points, series.frozen.count, [&](const ValueView& value) {
      if (block.full()) {
        write_chunk(chunk++, id, block);
        block = {};
      }
      block.append(value);
    });
    write_chunk(chunk, id, block);
  }
  if (series.last_changed) {
    database_.run("UPDATE series SET applied = ?, last = ? WHERE id = ?", boundary_, Blob{series.last}, id);
  } else {
    database_.run("UPDATE series SET applied = ? WHERE id = ?", boundary_, id);
  }
}

void Upkeep::write_chunk(std::int64_t id, SeriesId series, const Block& block) {
  const std::string packed = pack_points(block.points);
  database_.run(
      "INSERT INTO chunk VALUES(?,?,?,?,?,?,?) ON CONFLICT(id) DO UPDATE SET first = excluded.first,"
      " last = excluded.last, \"end\" = excluded.\"end\", count = excluded.count, points = excluded.points",
      id, series, to_number(block.first), to_number(block.last), to_number(block.end), block.count,
      Blob{packed});
}

bool Upkeep::drop_arrivals() {
  const Slice slice;
  bool more = true;
  database_.begin();
  while (more && database_.good() && !slice.over()) {
    const auto id = database_.number("SELECT min(id) FROM arrival", 0);
    more = id != 0 && id <= boundary_;
    if (more) database_.run("DELETE FROM arrival WHERE id = ?", id);
  }
  if (!database_.commit()) return false;
  dropping_ = more;
  return true;
}

bool Upkeep::drop_chunks(const char* select, std::int64_t parameter) {
  struct Row {
    std::int64_t id, count;
  };
  std::vector<Row> rows;
  {
    Rows found = database_.query(select, parameter);
    while (found.next()) rows.push_back({found.integer(0), found.integer(1)});
  }
  if (rows.empty()) return false;
  const Slice slice;
  std::uint64_t points = 0;
  database_.begin();
  for (std::size_t i = 0; i < rows.size() && database_.good() && (i == 0 || !slice.over()); ++i) {
    database_.run("DELETE FROM chunk WHERE id = ?", rows[i].id);
    points += static_cast<std::uint64_t>(rows[i].count);
  }
  if (!database_.commit()) return false;
  expired_ += points;
  return true;
}

bool Upkeep::drop_forgotten() {
  const auto series = database_.number("SELECT id FROM series WHERE node = 0 LIMIT 1", 0);
  if (series == 0) return false;
  if (drop_chunks("SELECT id, 0 FROM chunk WHERE series = ? LIMIT 64", series)) return true;
  return database_.run("DELETE FROM series WHERE id = ?", series);
}

bool Upkeep::drop_old(WallTime now) {
  if (limits_.max_age <= Duration::zero()) return false;
  const auto since = to_number(now - std::chrono::duration_cast<std::chrono::milliseconds>(limits_.max_age));
  return drop_chunks("SELECT id, count FROM chunk WHERE last < ? ORDER BY last LIMIT 64", since);
}

bool Upkeep::drop_excess() {
  if (limits_.max_bytes == 0) return false;
  const auto pages = database_.number("PRAGMA page_count", 0) - database_.number("PRAGMA freelist_count", 0);
  if (pages * kPageBytes <= static_cast<std::int64_t>(limits_.max_bytes)) return false;
  return drop_chunks("SELECT id, count FROM chunk WHERE last >= ? ORDER BY last LIMIT 16",
                     to_number(WallTime::min()));
}

bool Upkeep::vacuum() {
  const auto pages = database_.number("PRAGMA page_count", 0);
  const auto free = database_.number("PRAGMA freelist_count", 0);
  const bool too_large =
      limits_.max_bytes != 0 && pages * kPageBytes > static_cast<std::int64_t>(limits_.max_bytes);
  if (free < 64 || (!too_large && free < std::max(kFreePages, pages / 4))) return false;
  return database_.execute("PRAGMA incremental_vacuum(256)");
}

void Upkeep::drop_small(WallTime now) {
  database_.begin();
  database_.run("DELETE FROM kept_write WHERE begun < ?", to_number(now - kWriteAge));
  database_.run(
      "DELETE FROM kept_write WHERE begun < (SELECT begun FROM kept_write ORDER BY begun DESC LIMIT 1 OFFSET "
      "?)",
      kMaxWrites - 1);
  database_.run(
      "DELETE FROM stream WHERE gateway IN (SELECT gateway FROM stream GROUP BY gateway HAVING count(*) > ?1)"
      " AND (SELECT count(*) FROM stream s WHERE s.gateway = stream.gateway AND s.used > stream.used) >= ?1",
      kMaxStreams);
  if (limits_.max_age > Duration::zero()) {
    const auto since =
        to_number(now - std::chrono::duration_cast<std::chrono::milliseconds>(limits_.max_age));
    database_.run("DELETE FROM event WHERE id IN (SELECT id FROM event ORDER BY id LIMIT 1024) AND time < ?",
                  since);
  }
  database_.run(
      "DELETE FROM event WHERE id IN (SELECT id FROM event WHERE id <= (SELECT max(id) FROM event) - ? LIMIT "
      "1024)",
      kMaxEvents);
  database_.commit();
}

}  // namespace aiot::store
