#include <algorithm>
#include <deque>

#include "core/loop/event_loop.h"
#include "daemon/store/event_query.h"
#include "daemon/store/streams.h"

namespace aiot::store {
namespace {

constexpr std::size_t kMaxEvents = 10'000;

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(EventLoop& loop) : loop_(loop) {}

  [[nodiscard]] Position position(std::string_view gateway, std::string_view stream) const override {
    return streams_.position(gateway, stream);
  }
  [[nodiscard]] std::string stream_of(std::string_view gateway) const override {
    return streams_.current(gateway);
  }
  void update(std::string_view, const ValueView&) override {
    ++counters_.updates;
    ++counters_.stored;
  }
  void last_value(std::string_view, const ValueView&) override {}
  void node(const NodeRecord&) override {}
  void forget(std::string_view uid) override {
    events_.erase(
        std::remove_if(events_.begin(), events_.end(), [&](const Event& event) { return event.uid == uid; }),
        events_.end());
  }
  void clear_values(std::string_view) override {}
  void gateway(const GatewayRecord& gateway) override {
    if (!gateway.stream.empty()) streams_.use(gateway.name, gateway.stream);
  }
  std::uint64_t event(Event event) override {
    event.id = ++last_event_;
    events_.push_back(std::move(event));
    if (events_.size() > kMaxEvents) events_.pop_front();
    return last_event_;
  }
  void write(const KeptWrite&) override {}
  void commit(std::string_view gateway, std::string_view stream, std::uint64_t sequence,
              Completion<> done) override {
    ++counters_.commits;
    if (!gateway.empty()) {
      streams_.recorded(gateway, stream, sequence);
      streams_.committed(gateway, stream, sequence);
    }
    acknowledge(std::move(done));
  }
  [[nodiscard]] bool full() const override { return false; }
  Operation history(HistoryQuery, Completion<HistoryPage> done) override {
    return answer(std::move(done), HistoryPage());
  }
  Operation events(EventQuery query, Completion<std::vector<Event>> done) override {
    std::vector<Event> found;
    for (const auto& event : events_)
      if (matches(query, event)) found.push_back(event);
    const std::size_t limit = std::min(query.limit, kMaxEventPage);
    if (found.size() > limit) {
      if (query.newest) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(limit));
      found.resize(limit);
    }
    return answer(std::move(done), std::move(found));
  }
  [[nodiscard]] Counters counters() const override { return counters_; }
  void close(Completion<> done) override { acknowledge(std::move(done)); }

 private:
  template <class T>
  Operation answer(Completion<T> done, T result) {
    auto waiting = std::make_shared<Completion<T>>(std::move(done));
    loop_.post([waiting, result = std::move(result)]() mutable { (*waiting)(std::move(result)); });
    return Operation([waiting] { waiting->dismiss(); });
  }

  void acknowledge(Completion<> done) {
    loop_.post([done = std::move(done)]() mutable { done({}); });
  }

  EventLoop& loop_;
  Streams streams_;
  std::deque<Event> events_;
  std::uint64_t last_event_ = 0;
  Counters counters_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(EventLoop& loop) { return std::make_unique<MemoryStore>(loop); }

}  // namespace aiot::store
