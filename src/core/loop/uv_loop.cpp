#include <netdb.h>
#include <uv.h>

#include <cassert>
#include <mutex>
#include <thread>

#include "core/base/log.h"
#include "core/loop/event_loop.h"

namespace aiot {
namespace {

/// libuv frees nothing at once: a handle lives on the heap until its close callback. The callback function
/// stays with it till then, so that an object may destroy its own watch from inside the callback.
template <class UvHandle, class Function>
struct Handle {
  UvHandle uv{};
  Function function;
  bool open = true;

  void close() {
    if (!std::exchange(open, false)) return;
    uv.data = this;
    uv_close(reinterpret_cast<uv_handle_t*>(&uv),
             [](uv_handle_t* handle) noexcept { delete static_cast<Handle*>(handle->data); });
  }
};

using TimerHandle = Handle<uv_timer_t, UniqueFunction<void()>>;
using PollHandle = Handle<uv_poll_t, UniqueFunction<void(unsigned)>>;
using SignalHandle = Handle<uv_signal_t, UniqueFunction<void()>>;

class UvTimer final : public Timer {
 public:
  UvTimer(uv_loop_t* loop, UniqueFunction<void()> function) : handle_(new TimerHandle) {
    handle_->function = std::move(function);
    uv_timer_init(loop, &handle_->uv);
    handle_->uv.data = handle_;
  }
  ~UvTimer() override { handle_->close(); }
  UvTimer(const UvTimer&) = delete;
  UvTimer& operator=(const UvTimer&) = delete;

  void start(Duration delay) override {
    // libuv counts whole milliseconds from its own cached time: rounded up, so that it is never early.
    uv_update_time(handle_->uv.loop);
    const auto wait =
        delay <= Duration::zero()
            ? 0
            : static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::milliseconds>(delay).count()) + 1;
    uv_timer_start(
        &handle_->uv,
        [](uv_timer_t* timer) noexcept {
          auto* self = static_cast<TimerHandle*>(timer->data);
          if (self->open) self->function();
        },
        wait, 0);
  }
  void stop() override { uv_timer_stop(&handle_->uv); }
  [[nodiscard]] bool armed() const override {
    return uv_is_active(reinterpret_cast<const uv_handle_t*>(&handle_->uv)) != 0;
  }

 private:
  TimerHandle* handle_;
};

class UvPoll final : public FdWatch {
 public:
  UvPoll(uv_loop_t* loop, int fd, unsigned events, UniqueFunction<void(unsigned)> function)
      : handle_(new PollHandle) {
    handle_->function = std::move(function);
    if (const int rc = uv_poll_init(loop, &handle_->uv, fd); rc != 0) {
      // Regular files cannot be polled; they are always ready and never hang up.
      log::debug("descriptor {} cannot be watched: {}", fd, uv_strerror(rc));
      delete std::exchange(handle_, nullptr);
      return;
    }
    handle_->uv.data = handle_;
    UvPoll::set(events);
  }
  ~UvPoll() override {
    if (handle_ == nullptr) return;
    uv_poll_stop(&handle_->uv);
    handle_->close();
  }
  UvPoll(const UvPoll&) = delete;
  UvPoll& operator=(const UvPoll&) = delete;

  void set(unsigned events) override {
    if (handle_ == nullptr) return;
    // libuv takes the descriptor out of epoll and puts it back even when nothing changes. It is not active
    // after an error.
    if (std::exchange(events_, events) == events &&
        uv_is_active(reinterpret_cast<const uv_handle_t*>(&handle_->uv)) != 0)
      return;
    int uv_events = 0;
    if ((events & kReadable) != 0) uv_events |= UV_READABLE;
    if ((events & kWritable) != 0) uv_events |= UV_WRITABLE;
    if ((events & kHangup) != 0) uv_events |= UV_DISCONNECT;
    if (uv_events == 0) {
      uv_poll_stop(&handle_->uv);
      return;
    }
    uv_poll_start(&handle_->uv, uv_events, [](uv_poll_t* poll, int status, int ready) noexcept {
      auto* self = static_cast<PollHandle*>(poll->data);
      if (!self->open) return;
      unsigned out = 0;
      // An error is told as everything at once: the owner finds it at its next read or write.
      if (status < 0) out = kReadable | kWritable | kHangup;
      if ((ready & UV_READABLE) != 0) out |= kReadable;
      if ((ready & UV_WRITABLE) != 0) out |= kWritable;
      if ((ready & UV_DISCONNECT) != 0) out |= kHangup;
      self->function(out);
    });
  }

 private:
  PollHandle* handle_;
  unsigned events_ = 0;
};

class UvSignal final : public SignalWatch {
 public:
  UvSignal(uv_loop_t* loop, int signal, UniqueFunction<void()> function) : handle_(new SignalHandle) {
    handle_->function = std::move(function);
    uv_signal_init(loop, &handle_->uv);
    handle_->uv.data = handle_;
    uv_signal_start(
        &handle_->uv,
        [](uv_signal_t* uv, int) noexcept {
          auto* self = static_cast<SignalHandle*>(uv->data);
          if (self->open) self->function();
        },
        signal);
  }
  ~UvSignal() override { handle_->close(); }
  UvSignal(const UvSignal&) = delete;
  UvSignal& operator=(const UvSignal&) = delete;

 private:
  SignalHandle* handle_;
};

/// Where other threads leave functions. It outlives the loop while a thread still holds it.
struct Inbox {
  std::mutex mutex;
  std::vector<UniqueFunction<void()>> functions;
  uv_async_t* wake = nullptr;  ///< null once the loop is gone

  void put(UniqueFunction<void()> function) {
    const std::scoped_lock lock(mutex);
    if (wake == nullptr) return;
    functions.push_back(std::move(function));
    uv_async_send(wake);
  }
  std::vector<UniqueFunction<void()>> take() {
    const std::scoped_lock lock(mutex);
    return std::exchange(functions, {});
  }
};

struct Job {
  uv_work_t uv{};
  UniqueFunction<void()> job;
  UniqueFunction<void()> done;
};

struct Lookup {
  Completion<std::vector<SocketAddress>> done;
};

Result<std::vector<SocketAddress>> look_up(const std::string& host, std::uint16_t port, int flags) {
  addrinfo hints{};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  if (const int rc = getaddrinfo(host.c_str(), nullptr, &hints, &found); rc != 0) {
    return make_error(Errc::unreachable, fmt::format("{}: {}", host, gai_strerror(rc)));
  }
  std::vector<SocketAddress> addresses;
  for (const addrinfo* at = found; at != nullptr; at = at->ai_next) {
    auto address = SocketAddress::from(at->ai_addr, at->ai_addrlen);
    if (!address.empty()) addresses.push_back(address.with_port(port));
  }
  freeaddrinfo(found);
  if (addresses.empty()) return make_error(Errc::unreachable, host + ": no address");
  return addresses;
}

class UvLoop final : public EventLoop {
 public:
  UvLoop() {
    uv_loop_init(&loop_);
    uv_idle_init(&loop_, &idle_);
    idle_.data = this;
    uv_async_init(&loop_, &async_, [](uv_async_t* async) noexcept {
      auto* self = static_cast<UvLoop*>(async->data);
      for (auto& function : self->inbox_->take()) function();
    });
    async_.data = this;
    inbox_->wake = &async_;
  }

  ~UvLoop() override {
    {
      const std::scoped_lock lock(inbox_->mutex);
      inbox_->wake = nullptr;
    }
    inbox_->take();
    // What is dropped may post again.
    while (!posted_.empty()) std::exchange(posted_, {}).clear();
    uv_close(reinterpret_cast<uv_handle_t*>(&idle_), nullptr);
    uv_close(reinterpret_cast<uv_handle_t*>(&async_), nullptr);
    closing_ = true;
    // Only closing handles and finishing jobs are left, unless someone forgot to let go of something.
    for (int turn = 0; turn < 1000 && uv_run(&loop_, UV_RUN_NOWAIT) != 0; ++turn) {
      if (jobs_ > 0) uv_run(&loop_, UV_RUN_ONCE);
    }
    if (const int rc = uv_loop_close(&loop_); rc != 0) {
      uv_walk(
          &loop_,
          [](uv_handle_t* handle, void*) {
            log::error("still open when the loop closed: {}", uv_handle_type_name(handle->type));
          },
          nullptr);
      log::error("uv_loop_close: {}", uv_strerror(rc));
      assert(false && "the loop was closed while something still used it");
    }
  }
  UvLoop(const UvLoop&) = delete;
  UvLoop& operator=(const UvLoop&) = delete;

  [[nodiscard]] TimePoint now() const override {
    return std::chrono::time_point_cast<Duration>(std::chrono::steady_clock::now());
  }
  [[nodiscard]] WallTime wall_now() const override {
    return std::chrono::time_point_cast<std::chrono::milliseconds>(std::chrono::system_clock::now());
  }

  void post(UniqueFunction<void()> function) override {
    posted_.push_back(std::move(function));
    // An active idle handle makes the next poll return at once.
    if (posted_.size() == 1) {
      uv_idle_start(&idle_, [](uv_idle_t* idle) noexcept { static_cast<UvLoop*>(idle->data)->run_posted(); });
    }
  }

  void post_from_thread(UniqueFunction<void()> function) override { inbox_->put(std::move(function)); }

  std::unique_ptr<Timer> make_timer(UniqueFunction<void()> function) override {
    return std::make_unique<UvTimer>(&loop_, std::move(function));
  }
  std::unique_ptr<FdWatch> watch(int fd, unsigned events, UniqueFunction<void(unsigned)> function) override {
    return std::make_unique<UvPoll>(&loop_, fd, events, std::move(function));
  }
  std::unique_ptr<SignalWatch> watch_signal(int signal, UniqueFunction<void()> function) override {
    return std::make_unique<UvSignal>(&loop_, signal, std::move(function));
  }

  Operation work(UniqueFunction<void()> job, UniqueFunction<void()> done) override {
    // Shared: the handle may be dropped before or after the job ends.
    auto state = std::make_shared<UniqueFunction<void()>>(std::move(done));
    auto* queued = new Job;
    queued->job = std::move(job);
    queued->done = [this, state] {
      --jobs_;
      if (auto call = std::exchange(*state, nullptr); call && !closing_) call();
    };
    queued->uv.data = queued;
    ++jobs_;
    uv_queue_work(
        &loop_, &queued->uv, [](uv_work_t* uv) noexcept { static_cast<Job*>(uv->data)->job(); },
        [](uv_work_t* uv, int) noexcept {
          const std::unique_ptr<Job> finished(static_cast<Job*>(uv->data));
          finished->done();
        });
    return Operation([state] { *state = nullptr; });
  }

  Operation resolve(const std::string& host, std::uint16_t port,
                    Completion<std::vector<SocketAddress>> done) override {
    auto lookup = std::make_shared<Lookup>(Lookup{std::move(done)});
    if (auto numeric = look_up(host, port, AI_NUMERICHOST)) {
      post([lookup, addresses = std::move(*numeric)]() mutable { lookup->done(std::move(addresses)); });
    } else {
      // A thread of its own, not libuv's pool: the pool is joined at exit, and a resolver that waits for a
      // dead name server must not hold the process.
      auto waiting = std::make_shared<std::weak_ptr<Lookup>>(lookup);
      lookups_.push_back(lookup);
      std::thread([inbox = inbox_, host, port, waiting, this] {
        auto result = std::make_shared<Result<std::vector<SocketAddress>>>(look_up(host, port, 0));
        inbox->put([this, waiting, result] {
          if (auto found = waiting->lock()) {
            std::erase(lookups_, found);
            found->done(std::move(*result));
          }
        });
      }).detach();
    }
    return Operation([lookup] { lookup->done.dismiss(); });
  }

  void run() override {
    stopped_ = false;
    while (!stopped_) uv_run(&loop_, UV_RUN_DEFAULT);
  }
  void stop() override {
    stopped_ = true;
    uv_stop(&loop_);
  }
  void* native() override { return &loop_; }

 private:
  void run_posted() {
    // What these post runs on the next turn.
    running_.swap(posted_);
    uv_idle_stop(&idle_);
    for (auto& function : running_) function();
    running_.clear();
  }

  uv_loop_t loop_{};
  uv_idle_t idle_{};
  uv_async_t async_{};
  std::shared_ptr<Inbox> inbox_ = std::make_shared<Inbox>();
  std::vector<UniqueFunction<void()>> posted_;
  std::vector<UniqueFunction<void()>> running_;
  std::vector<std::shared_ptr<Lookup>> lookups_;
  int jobs_ = 0;
  bool stopped_ = false;
  bool closing_ = false;
};

}  // namespace

std::unique_ptr<EventLoop> make_uv_loop() { return std::make_unique<UvLoop>(); }

}  // namespace aiot
