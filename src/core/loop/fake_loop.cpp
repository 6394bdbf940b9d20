#include "core/loop/fake_loop.h"

namespace aiot {

/// Timers waiting, by deadline and then by the order of arming; shared with the timers, which may outlive
/// a test's loop.
struct FakeLoop::Shared {
  using Key = std::pair<TimePoint, std::uint64_t>;
  std::map<Key, FakeTimer*> armed;
  std::uint64_t next = 0;
};

class FakeLoop::FakeTimer final : public Timer {
 public:
  FakeTimer(const FakeLoop& loop, UniqueFunction<void()> function)
      : loop_(loop),
        shared_(loop.shared_),
        function_(std::make_shared<UniqueFunction<void()>>(std::move(function))) {}
  ~FakeTimer() override { FakeTimer::stop(); }
  FakeTimer(const FakeTimer&) = delete;
  FakeTimer& operator=(const FakeTimer&) = delete;

  void start(Duration delay) override {
    stop();
    key_ = {loop_.now() + std::max(delay, Duration::zero()), ++shared_->next};
    shared_->armed.emplace(key_, this);
    armed_ = true;
  }
  void stop() override {
    if (std::exchange(armed_, false)) shared_->armed.erase(key_);
  }
  [[nodiscard]] bool armed() const override { return armed_; }

  void fire() {
    stop();
    const auto function = function_;  // the callback may destroy this timer
    (*function)();
  }

 private:
  const FakeLoop& loop_;
  std::shared_ptr<Shared> shared_;
  std::shared_ptr<UniqueFunction<void()>> function_;
  Shared::Key key_;
  bool armed_ = false;
};

FakeLoop::FakeLoop()
    : shared_(std::make_shared<Shared>()),
      now_(std::chrono::hours(1)),
      wall_(std::chrono::sys_days(std::chrono::year(2026) / 1 / 31) + std::chrono::hours(12)) {}

FakeLoop::~FakeLoop() = default;

void FakeLoop::post(UniqueFunction<void()> function) { posted_.push_back(std::move(function)); }

void FakeLoop::post_from_thread(UniqueFunction<void()> function) { post(std::move(function)); }

std::unique_ptr<Timer> FakeLoop::make_timer(UniqueFunction<void()> function) {
  return std::make_unique<FakeTimer>(*this, std::move(function));
}

std::unique_ptr<FdWatch> FakeLoop::watch(int, unsigned, UniqueFunction<void(unsigned)>) {
  class Inert final : public FdWatch {
    void set(unsigned) override {}
  };
  return std::make_unique<Inert>();
}

std::unique_ptr<SignalWatch> FakeLoop::watch_signal(int, UniqueFunction<void()>) {
  return std::make_unique<SignalWatch>();
}

Operation FakeLoop::work(UniqueFunction<void()> job, UniqueFunction<void()> done) {
  auto state = std::make_shared<UniqueFunction<void()>>(std::move(done));
  post([job = std::move(job), state] {
    job();
    if (auto call = std::exchange(*state, nullptr)) call();
  });
  return Operation([state] { *state = nullptr; });
}

Operation FakeLoop::resolve(const std::string& host, std::uint16_t port,
                            Completion<std::vector<SocketAddress>> done) {
  auto waiting = std::make_shared<Completion<std::vector<SocketAddress>>>(std::move(done));
  post([host, port, waiting] {
    const auto address = SocketAddress::parse(host, port);
    if (address) {
      (*waiting)(std::vector{address->with_port(port)});
    } else {
      (*waiting)(make_error(Errc::unreachable, host + ": name not found"));
    }
  });
  return Operation([waiting] { waiting->dismiss(); });
}

void FakeLoop::run() {
  stopped_ = false;
  while (!stopped_ && (run_posted() > 0 || fire_next(TimePoint::max()))) {
  }
}

std::size_t FakeLoop::run_posted() {
  std::size_t count = 0;
  while (!posted_.empty()) {
    const auto function = std::move(posted_.front());
    posted_.pop_front();
    function();
    ++count;
  }
  return count;
}

bool FakeLoop::fire_next(TimePoint limit) {
  if (shared_->armed.empty()) return false;
  const auto [key, timer] = *shared_->armed.begin();
  if (key.first > limit) return false;
  move_to(key.first);
  timer->fire();
  return true;
}

void FakeLoop::advance(Duration by) {
  const auto end = now_ + by;
  run_posted();
  while (fire_next(end)) run_posted();
  move_to(end);
  run_posted();
}

void FakeLoop::move_to(TimePoint to) {
  if (to <= now_) return;
  wall_ += std::chrono::duration_cast<std::chrono::milliseconds>(to - now_);
  now_ = to;
}

std::size_t FakeLoop::armed_timers() const { return shared_->armed.size(); }

}  // namespace aiot
