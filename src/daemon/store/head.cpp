#include "daemon/store/head.h"

#include <algorithm>
#include <utility>

namespace aiot::store {

void Head::add(SeriesId id, NodeId node, std::int64_t applied, std::string_view last) {
  auto [at, inserted] = series_.try_emplace(id);
  if (!inserted) return;
  Series& series = at->second;
  series.node = node;
  series.applied = applied;
  if (const auto value = unpack_value(last)) {
    series.last = last;
    series.last_time = value->time;
  }
  nodes_[node].push_back(id);
}

void Head::remove(NodeId node) {
  const auto found = nodes_.find(node);
  if (found == nodes_.end()) return;
  for (const auto id : found->second) {
    const auto at = series_.find(id);
    if (at == series_.end()) continue;
    points_ -= at->second.points.count + at->second.frozen.count;
    series_.erase(at);
  }
  nodes_.erase(found);
}

bool Head::apply(std::string_view log, std::int64_t arrival) {
  log_bytes_ += log.size();
  return each_record(log, [&](const Record& record) {
    if (record.kind == RecordKind::clear) {
      const auto found = nodes_.find(record.id);
      if (found == nodes_.end()) return;
      for (const auto id : found->second) {
        Series& series = series_[id];
        if (arrival <= series.applied || series.last_time == WallTime::min()) continue;
        series.last.clear();
        series.last_time = WallTime::min();
        series.last_changed = true;
        list(id, series);
      }
      return;
    }
    Series* series = find(record.id);
    if (series == nullptr || arrival <= series->applied) return;
    if (record.kind == RecordKind::update) {
      series->points.append(record.value);
      ++points_;
      longest_ = std::max(longest_, series->points.count);
    }
    set_last(*series, record.value);
    list(record.id, *series);
  });
}

void Head::set_last(Series& series, const ValueView& value) {
  if (value.time < series.last_time) return;
  series.last.assign(1, static_cast<char>(value_flags(value)));
  WallTime previous{};
  put_value(series.last, value, previous);
  series.last_time = value.time;
  series.last_changed = true;
}

void Head::list(SeriesId id, Series& series) {
  if (!std::exchange(series.listed, true)) listed_.push_back(id);
}

std::vector<SeriesId> Head::freeze() {
  for (const auto id : listed_) {
    Series* series = find(id);
    if (series == nullptr) continue;
    series->frozen = std::exchange(series->points, {});
    series->listed = false;
  }
  longest_ = 0;
  log_bytes_ = 0;
  return std::exchange(listed_, {});
}

void Head::written(SeriesId id) {
  Series* series = find(id);
  if (series == nullptr) return;
  points_ -= series->frozen.count;
  series->frozen = {};
  series->last_changed = false;
  series->last = {};
}

void Head::loaded() {
  for (auto& [id, series] : series_)
    if (!series.last_changed) series.last = {};
}

Head::Series* Head::find(SeriesId id) {
  const auto found = series_.find(id);
  return found == series_.end() ? nullptr : &found->second;
}

}  // namespace aiot::store
