#include <deque>
#include <unordered_map>
#include <utility>

#include "core/loop/event_loop.h"
#include "daemon/broker/store.h"

namespace aiot::broker {
namespace {

constexpr std::size_t kMaxStreams = 65536;

class MemoryStore final : public Store {
 public:
  explicit MemoryStore(EventLoop& loop) : loop_(loop) {}

  [[nodiscard]] std::uint64_t acknowledged(std::string_view gateway, std::string_view stream) const override {
    const auto found = last_.find(std::string(gateway));
    return found != last_.end() && found->second.stream == stream ? found->second.sequence : 0;
  }

  [[nodiscard]] std::string stream_of(std::string_view gateway) const override {
    const auto found = last_.find(std::string(gateway));
    return found == last_.end() ? std::string() : found->second.stream;
  }

  void commit(const Commit& commit, Completion<> done) override {
    auto [entry, inserted] = last_.try_emplace(std::string(commit.gateway));
    if (inserted) {
      order_.push_back(entry->first);
      if (order_.size() > kMaxStreams) {
        last_.erase(order_.front());
        order_.pop_front();
      }
    }
    entry->second.stream = commit.stream;
    entry->second.sequence = commit.last;
    loop_.post([done = std::move(done)]() mutable { done({}); });
  }

 private:
  struct Position {
    std::string stream;
    std::uint64_t sequence = 0;
  };
  EventLoop& loop_;
  std::unordered_map<std::string, Position> last_;
  std::deque<std::string> order_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(EventLoop& loop) { return std::make_unique<MemoryStore>(loop); }

}  // namespace aiot::broker
