#include "daemon/store/history_query.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <limits>
#include <nlohmann/json.hpp>
#include <tuple>

#include "core/base/log.h"
#include "core/codec/content_format.h"
#include "core/codec/quantity.h"
#include "core/codec/value.h"

namespace aiot::store {
namespace {

constexpr std::uint64_t kMaxSkip = 1'000'000;

/// The number that `value` reads as, as it does everywhere else.
std::optional<double> number_of(const ValueView& value) {
  if (!value.content_format || *value.content_format == content_format::kText) {
    const auto quantity = parse_quantity(value.bytes);
    return quantity ? std::optional(quantity->number) : std::nullopt;
  }
  nlohmann::ordered_json object;
  present_value(object, value.bytes, value.content_format);
  const auto number = object.find("number");
  return number == object.end() ? std::nullopt : std::optional(number->get<double>());
}

template <class Number>
bool read_number(std::string_view text, Number& out) {
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out);
  return parsed.ec == std::errc() && parsed.ptr == text.data() + text.size();
}

std::int64_t bucket_of(WallTime time, std::int64_t step) {
  const std::int64_t at = to_number(time);
  const std::int64_t rest = at % step;
  return at - (rest < 0 ? rest + step : rest);
}

}  // namespace

std::string format_cursor(const Cursor& cursor) {
  return fmt::format("{}.{}", to_number(cursor.time), cursor.skip);
}

Result<Cursor> parse_cursor(std::string_view text) {
  const auto dot = text.find('.');
  std::int64_t time = 0;
  Cursor cursor;
  if (dot == std::string_view::npos || !read_number(text.substr(0, dot), time) ||
      !read_number(text.substr(dot + 1), cursor.skip) || cursor.skip > kMaxSkip)
    return make_error(Errc::usage, fmt::format("{} is not a cursor that a page of history gave", text));
  cursor.time = to_time(time);
  return cursor;
}

bool HistoryRun::run(Archive& archive) {
  const Slice slice;
  Database* database = archive.database();
  if (database == nullptr) return true;
  database->clear();
  if (!begun_) begin(archive);
  for (bool first = true; next_ < pieces_.size(); first = false) {
    if (!first && slice.over()) return false;
    if (complete(pieces_[next_].first)) break;
    Piece piece = std::move(pieces_[next_++]);
    read(archive, piece);
  }
  finish();
  return true;
}

void HistoryRun::begin(Archive& archive) {
  begun_ = true;
  const auto overlaps = [&](const Block& block) {
    return !block.empty() && block.first < query_.to && block.last >= query_.from;
  };
  {
    Rows rows = archive.database()->query(
        "SELECT id, first, last, count FROM chunk WHERE series = ? AND last >= ? AND first < ?", series_,
        to_number(query_.from), to_number(query_.to));
    while (rows.next())
      pieces_.push_back({rows.integer(0),
                         to_time(rows.integer(1)),
                         to_time(rows.integer(2)),
                         static_cast<std::uint32_t>(rows.integer(3)),
                         {}});
  }
  std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) { return a.chunk < b.chunk; });
  if (const Head::Series* series = archive.head().find(series_)) {
    for (const Block* block : {&series->frozen, &series->points})
      if (overlaps(*block)) pieces_.push_back({0, block->first, block->last, block->count, block->points});
  }
  for (std::size_t i = 0; i < pieces_.size(); ++i) pieces_[i].rank = static_cast<std::uint32_t>(i);
  std::sort(pieces_.begin(), pieces_.end(), [](const Piece& a, const Piece& b) {
    return std::tie(a.first, a.rank) < std::tie(b.first, b.rank);
  });
}

void HistoryRun::read(Archive& archive, const Piece& piece) {
  std::optional<std::string> points = piece.points;
  if (piece.chunk != 0) {
    Rows rows = archive.database()->query("SELECT points FROM chunk WHERE id = ?", piece.chunk);
    if (!rows.next()) return;  // it expired meanwhile
    points = unpack_points(rows.bytes(0));
  }
  std::uint64_t order = static_cast<std::uint64_t>(piece.rank) << 32;
  const bool whole = points && each_point(*points, piece.count, [&](const ValueView& value) {
                       ++order;
                       if (value.time < query_.from || value.time >= query_.to) return;
                       if (query_.step.count() > 0) {
                         add_to_bucket(value, order);
                       } else {
                         add_point(value, order);
                       }
                     });
  if (!whole)
    log::warn("{}: a part of the history of {}/{} is damaged and left out", archive.database()->path(),
              query_.uid, query_.resource);
}

void HistoryRun::add_point(const ValueView& value, std::uint64_t order) {
  found_.push_back({own(value), order});
  latest_ = std::max(latest_, value.time);
  found_bytes_ += value.bytes.size();
  if (found_.size() >= 2 * wanted() + kBlockPoints) trim();
}

/// Only the earliest can be in the page.
void HistoryRun::trim() {
  const auto before = [](const Found& a, const Found& b) {
    return std::tie(a.value.time, a.order) < std::tie(b.value.time, b.order);
  };
  if (found_.size() > wanted()) {
    std::nth_element(found_.begin(), found_.begin() + static_cast<std::ptrdiff_t>(wanted()), found_.end(),
                     before);
    found_.resize(wanted());
  }
  std::sort(found_.begin(), found_.end(), before);
  latest_ = found_.empty() ? WallTime::min() : found_.back().value.time;
  found_bytes_ = 0;
  for (const auto& one : found_) found_bytes_ += one.value.bytes.size();
}

void HistoryRun::add_to_bucket(const ValueView& value, std::uint64_t order) {
  const std::int64_t step = query_.step.count();
  const std::int64_t begin = bucket_of(value.time, step);
  if (bucket_ == nullptr || to_number(bucket_->bucket.time) != begin) {
    // One more than the page holds, to know that there is more.
    if (buckets_.size() > query_.limit && begin > buckets_.rbegin()->first) return;
    bucket_ = &buckets_[begin];
    bucket_->bucket.time = to_time(begin);
    if (buckets_.size() > query_.limit + 1) buckets_.erase(std::prev(buckets_.end()));
  }
  Bucket& bucket = bucket_->bucket;
  ++bucket.count;
  if (const auto number = number_of(value)) {
    bucket.min = bucket.numbers == 0 ? *number : std::min(bucket.min, *number);
    bucket.max = bucket.numbers == 0 ? *number : std::max(bucket.max, *number);
    bucket.sum += *number;
    ++bucket.numbers;
  }
  if (std::tie(value.time, order) >= std::tie(bucket_->last, bucket_->order)) {
    bucket_->last = value.time;
    bucket_->order = order;
    bucket.last = value.bytes;
  }
}

bool HistoryRun::complete(WallTime next) {
  if (query_.step.count() > 0)
    return buckets_.size() > query_.limit && to_number(next) >= buckets_.rbegin()->first;
  return (found_.size() >= wanted() || (found_bytes_ > kMaxPageBytes && found_.size() > cursor_.skip + 1)) &&
         next > latest_;
}

void HistoryRun::finish() {
  if (query_.step.count() > 0) {
    for (auto& [begin, gathered] : buckets_) {
      if (page_.buckets.size() == query_.limit) {
        page_.next = format_cursor({to_time(begin), 0});
        break;
      }
      page_.buckets.push_back(std::move(gathered.bucket));
    }
    return;
  }
  trim();
  const bool more_pieces = next_ < pieces_.size();
  std::uint64_t bytes = 0;
  std::size_t at = 0;
  while (at < found_.size() && at < cursor_.skip && found_[at].value.time == cursor_.time) ++at;
  for (; at < found_.size() && page_.points.size() < query_.limit; ++at) {
    bytes += found_[at].value.bytes.size();
    if (bytes > kMaxPageBytes && !page_.points.empty()) break;
    page_.points.push_back(std::move(found_[at].value));
  }
  if ((at == found_.size() && !more_pieces) || page_.points.empty()) return;
  Cursor next{page_.points.back().time, 0};
  for (auto point = page_.points.rbegin(); point != page_.points.rend() && point->time == next.time; ++point)
    ++next.skip;
  if (next.skip == page_.points.size() && next.time == cursor_.time) next.skip += cursor_.skip;
  page_.next = format_cursor(next);
}

}  // namespace aiot::store
