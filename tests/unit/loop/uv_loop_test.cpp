#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <thread>

#include "core/loop/event_loop.h"

using aiot::EventLoop;
using aiot::FdWatch;
using aiot::Result;
using aiot::SocketAddress;
using namespace std::chrono_literals;
using Addresses = std::vector<SocketAddress>;

namespace {

/// Runs the loop until `stop()`, or fails after ten seconds.
void run(EventLoop& loop) {
  bool late = false;
  auto guard = loop.make_timer([&] {
    late = true;
    loop.stop();
  });
  guard->start(10s);
  loop.run();
  REQUIRE_FALSE(late);
}

struct SocketPair {
  SocketPair() { REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds) == 0); }
  ~SocketPair() {
    ::close(fds[0]);
    if (fds[1] >= 0) ::close(fds[1]);
  }
  SocketPair(const SocketPair&) = delete;
  SocketPair& operator=(const SocketPair&) = delete;
  int fds[2] = {-1, -1};
};

}  // namespace

TEST_CASE("a post runs on a turn of its own, and what it posts on the next") {
  const auto loop = aiot::make_uv_loop();
  std::vector<int> order;
  loop->post([&] {
    loop->post([&] {
      order.push_back(3);
      loop->stop();
    });
    order.push_back(1);
  });
  loop->post([&] { order.push_back(2); });
  CHECK(order.empty());
  run(*loop);
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("posting does not starve timers") {
  const auto loop = aiot::make_uv_loop();
  bool fired = false;
  std::function<void()> spin = [&] {
    if (!fired) loop->post(spin);
  };
  auto timer = loop->make_timer([&] {
    fired = true;
    loop->stop();
  });
  timer->start(5ms);
  loop->post(spin);
  run(*loop);
  CHECK(fired);
}

TEST_CASE("a timer is never early and fires once") {
  const auto loop = aiot::make_uv_loop();
  int fired = 0;
  const auto start = loop->now();
  aiot::Duration waited{};
  auto timer = loop->make_timer([&] {
    ++fired;
    waited = loop->now() - start;
  });
  auto stop = loop->make_timer([&] { loop->stop(); });
  timer->start(20ms);
  stop->start(60ms);
  CHECK(timer->armed());
  run(*loop);
  CHECK(fired == 1);
  CHECK(waited >= 20ms);
  CHECK_FALSE(timer->armed());
}

TEST_CASE("a timer may destroy itself in its callback, and a stopped one is silent") {
  const auto loop = aiot::make_uv_loop();
  int fired = 0;
  std::unique_ptr<aiot::Timer> self;
  self = loop->make_timer([&] {
    ++fired;
    self.reset();
  });
  self->start(0ms);
  auto stopped = loop->make_timer([&] { fired += 100; });
  stopped->start(1ms);
  stopped->stop();
  auto stop = loop->make_timer([&] { loop->stop(); });
  stop->start(10ms);
  run(*loop);
  CHECK(fired == 1);
}

TEST_CASE("a watch tells readable, writable and hang-up, and pauses") {
  const auto loop = aiot::make_uv_loop();
  SocketPair pair;
  unsigned seen = 0;
  std::unique_ptr<FdWatch> watch;
  watch = loop->watch(pair.fds[0], FdWatch::kWritable, [&](unsigned events) {
    seen |= events;
    if ((events & FdWatch::kReadable) != 0) {
      char buffer[16];
      if (::read(pair.fds[0], buffer, sizeof buffer) <= 0) {
        watch.reset();
        loop->stop();
        return;
      }
      ::close(pair.fds[1]);
      pair.fds[1] = -1;
    } else if ((events & FdWatch::kWritable) != 0) {
      watch->set(FdWatch::kReadable | FdWatch::kHangup);
      CHECK(::write(pair.fds[1], "x", 1) == 1);
    }
  });
  run(*loop);
  CHECK((seen & (FdWatch::kReadable | FdWatch::kWritable)) == (FdWatch::kReadable | FdWatch::kWritable));
}

TEST_CASE("a paused watch is silent") {
  const auto loop = aiot::make_uv_loop();
  SocketPair pair;
  int calls = 0;
  auto watch = loop->watch(pair.fds[0], FdWatch::kWritable, [&](unsigned) { ++calls; });
  watch->set(0);
  auto stop = loop->make_timer([&] { loop->stop(); });
  stop->start(5ms);
  run(*loop);
  CHECK(calls == 0);
}

TEST_CASE("a watch that is set to what it watches already goes on, after an error too") {
  const auto loop = aiot::make_uv_loop();
  std::array<int, 2> pipe{};
  REQUIRE(::pipe(pipe.data()) == 0);
  ::close(pipe[0]);  // writing is an error now
  int calls = 0;
  std::unique_ptr<FdWatch> watch;
  watch = loop->watch(pipe[1], FdWatch::kWritable, [&](unsigned) {
    watch->set(FdWatch::kWritable);
    if (++calls == 3) loop->stop();
  });
  auto deadline = loop->make_timer([&] { loop->stop(); });
  deadline->start(5s);
  run(*loop);
  CHECK(calls == 3);
  watch.reset();
  ::close(pipe[1]);
}

TEST_CASE("signals arrive on the loop") {
  const auto loop = aiot::make_uv_loop();
  auto watch = loop->watch_signal(SIGUSR1, [&] { loop->stop(); });
  loop->post([] { ::raise(SIGUSR1); });
  run(*loop);
}

TEST_CASE("functions come in from other threads in order") {
  const auto loop = aiot::make_uv_loop();
  std::vector<int> order;
  std::thread other([&] {
    for (int i = 0; i < 100; ++i) {
      loop->post_from_thread([&, i] {
        order.push_back(i);
        if (i == 99) loop->stop();
      });
    }
  });
  run(*loop);
  other.join();
  CHECK(order.size() == 100);
  CHECK(std::is_sorted(order.begin(), order.end()));
}

TEST_CASE("work runs off the loop and answers on it") {
  const auto loop = aiot::make_uv_loop();
  const auto here = std::this_thread::get_id();
  std::thread::id there;
  bool on_loop = false;
  auto operation = loop->work([&] { there = std::this_thread::get_id(); },
                              [&] {
                                on_loop = std::this_thread::get_id() == here;
                                loop->stop();
                              });
  run(*loop);
  CHECK(there != here);
  CHECK(on_loop);
}

TEST_CASE("cancelled work still runs but does not answer") {
  const auto loop = aiot::make_uv_loop();
  bool answered = false;
  {
    auto operation = loop->work([] {}, [&] { answered = true; });
  }
  auto last = loop->work([] {}, [&] { loop->stop(); });
  run(*loop);
  CHECK_FALSE(answered);
}

TEST_CASE("numeric hosts resolve, never inside the call") {
  const auto loop = aiot::make_uv_loop();
  bool inside = true;
  Addresses found;
  auto lookup = loop->resolve("::1", 5683, [&](Result<Addresses> result) {
    CHECK_FALSE(inside);
    REQUIRE(result);
    found = std::move(*result);
    loop->stop();
  });
  inside = false;
  run(*loop);
  REQUIRE(found.size() == 1);
  CHECK(found.front().text() == "[::1]:5683");
}

TEST_CASE("a name that cannot exist is unreachable") {
  const auto loop = aiot::make_uv_loop();
  auto lookup = loop->resolve("no such host.invalid", 1, [&](const Result<Addresses>& result) {
    REQUIRE_FALSE(result);
    CHECK(result.error().code == aiot::Errc::unreachable);
    CHECK(result.error().message.find("no such host.invalid") != std::string::npos);
    loop->stop();
  });
  run(*loop);
}

TEST_CASE("a cancelled lookup is silent, and the loop closes while it is under way") {
  int calls = 0;
  {
    const auto loop = aiot::make_uv_loop();
    {
      auto numeric = loop->resolve("127.0.0.1", 1, [&](const Result<Addresses>&) { ++calls; });
    }
    {
      auto name = loop->resolve("localhost", 1, [&](const Result<Addresses>&) { ++calls; });
    }
    auto stop = loop->make_timer([&] { loop->stop(); });
    stop->start(1ms);
    run(*loop);
  }
  CHECK(calls == 0);
}

TEST_CASE("a loop that stopped can run again") {
  const auto loop = aiot::make_uv_loop();
  for (int i = 0; i < 3; ++i) {
    loop->post([&] { loop->stop(); });
    run(*loop);
  }
}

TEST_CASE("what is still posted when a loop goes is dropped with its completions") {
  bool abandoned = false;
  {
    const auto loop = aiot::make_uv_loop();
    aiot::Completion<> done(
        [&](const Result<>& result) { abandoned = !result && result.error().code == aiot::Errc::abandoned; });
    loop->post([done = std::move(done)] {});
  }
  CHECK(abandoned);
}
