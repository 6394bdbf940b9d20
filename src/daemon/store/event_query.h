#pragma once

#include <cstdint>
#include <vector>

#include "daemon/store/archive.h"
#include "daemon/store/query.h"

namespace aiot::store {

inline constexpr std::size_t kMaxEventPage = 10'000;  ///< a larger limit means this

[[nodiscard]] bool matches(const EventQuery& query, const Event& event);

/// Reads events by windows of their ids, upwards or, for the newest, downwards.
class EventRun final : public Query {
 public:
  EventRun(EventQuery query, Completion<std::vector<Event>> done)
      : query_(std::move(query)), done_(std::move(done)) {}

  bool run(Archive& archive) override;
  void answer() override { done_(std::move(events_)); }
  void fail(Error error) override { done_(std::move(error)); }

 private:
  void dismiss() override { done_.dismiss(); }
  void window(Database& database, std::int64_t low, std::int64_t high);

  EventQuery query_;
  Completion<std::vector<Event>> done_;
  std::vector<Event> events_;
  bool begun_ = false;
  std::int64_t low_ = 0;   ///< exclusive
  std::int64_t high_ = 0;  ///< inclusive
};

}  // namespace aiot::store
