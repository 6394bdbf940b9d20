#include "daemon/store/event_query.h"

#include <algorithm>

namespace aiot::store {
namespace {

constexpr std::int64_t kWindow = 8192;  ///< ids a query of the database: some milliseconds

}  // namespace

bool matches(const EventQuery& query, const Event& event) {
  return event.id > query.after && event.time >= query.from && event.time < query.to &&
         (query.uid.empty() || event.uid == query.uid) && (query.type.empty() || event.type == query.type);
}

bool EventRun::run(Archive& archive) {
  const Slice slice;
  Database* database = archive.database();
  if (database == nullptr) return true;
  database->clear();
  if (!begun_) {
    begun_ = true;
    high_ = database->number("SELECT max(id) FROM event", 0);
    low_ = std::max(static_cast<std::int64_t>(std::min<std::uint64_t>(query_.after, INT64_MAX)),
                    database->number("SELECT min(id) FROM event", 1) - 1);
  }
  bool first = true;
  while (low_ < high_ && events_.size() < query_.limit && database->good()) {
    if (!std::exchange(first, false) && slice.over()) return false;
    const std::int64_t size = std::min(kWindow, high_ - low_);
    if (query_.newest) {
      window(*database, high_ - size, high_);
      high_ -= size;
    } else {
      window(*database, low_, low_ + size);
      low_ += size;
    }
  }
  if (events_.size() > query_.limit) events_.resize(query_.limit);
  if (query_.newest) std::reverse(events_.begin(), events_.end());
  return true;
}

void EventRun::window(Database& database, std::int64_t low, std::int64_t high) {
  static constexpr const char* kAll =
      "SELECT id, time, type, gateway, uid, message, data FROM event WHERE id > ? AND id <= ? ORDER BY id";
  static constexpr const char* kOfNode =
      "SELECT id, time, type, gateway, uid, message, data FROM event INDEXED BY event_uid WHERE id > ? AND "
      "id <= ? AND"
      " uid = ? ORDER BY id";
  Rows rows = query_.uid.empty() ? database.query(kAll, low, high)
                                 : database.query(kOfNode, low, high, std::string_view(query_.uid));
  const auto begin = static_cast<std::ptrdiff_t>(events_.size());
  while (rows.next()) {
    Event event{static_cast<std::uint64_t>(rows.integer(0)),
                to_time(rows.integer(1)),
                rows.string(2),
                rows.string(3),
                rows.string(4),
                rows.string(5),
                rows.string(6)};
    if (matches(query_, event)) events_.push_back(std::move(event));
  }
  if (query_.newest) std::reverse(events_.begin() + begin, events_.end());
}

}  // namespace aiot::store
