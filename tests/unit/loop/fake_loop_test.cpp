#include "core/loop/fake_loop.h"

#include <catch2/catch.hpp>

using aiot::FakeLoop;
using aiot::Result;
using aiot::SocketAddress;
using namespace std::chrono_literals;

TEST_CASE("fake time moves only when told and fires timers by deadline, then by arming") {
  FakeLoop loop;
  std::vector<int> order;
  auto a = loop.make_timer([&] { order.push_back(1); });
  auto b = loop.make_timer([&] { order.push_back(2); });
  auto c = loop.make_timer([&] { order.push_back(3); });
  a->start(20ms);
  b->start(10ms);
  c->start(10ms);
  CHECK(loop.armed_timers() == 3);
  loop.advance(9ms);
  CHECK(order.empty());
  loop.advance(1ms);
  CHECK(order == std::vector{2, 3});
  loop.advance(1h);
  CHECK(order == std::vector{2, 3, 1});
  CHECK_FALSE(a->armed());
}

TEST_CASE("a timer sees the time of its own deadline") {
  FakeLoop loop;
  const auto start = loop.now();
  const auto wall = loop.wall_now();
  aiot::TimePoint seen{};
  auto timer = loop.make_timer([&] { seen = loop.now(); });
  timer->start(3s);
  loop.advance(10s);
  CHECK(seen - start == 3s);
  CHECK(loop.wall_now() - wall == 10s);
}

TEST_CASE("a timer may re-arm or destroy itself from its own callback") {
  FakeLoop loop;
  int fired = 0;
  std::unique_ptr<aiot::Timer> timer;
  timer = loop.make_timer([&] {
    if (++fired < 3) {
      timer->start(1s);
    } else {
      timer.reset();
    }
  });
  timer->start(1s);
  loop.advance(1min);
  CHECK(fired == 3);
  CHECK(timer == nullptr);
  CHECK(loop.armed_timers() == 0);
}

TEST_CASE("stopped and destroyed timers never fire") {
  FakeLoop loop;
  int fired = 0;
  auto stopped = loop.make_timer([&] { ++fired; });
  stopped->start(1s);
  stopped->stop();
  {
    auto gone = loop.make_timer([&] { ++fired; });
    gone->start(1s);
  }
  loop.advance(1min);
  CHECK(fired == 0);
}

TEST_CASE("posts run in order, with what they post") {
  FakeLoop loop;
  std::vector<int> order;
  loop.post([&] {
    order.push_back(1);
    loop.post([&] { order.push_back(3); });
  });
  loop.post([&] { order.push_back(2); });
  CHECK(order.empty());
  CHECK(loop.run_posted() == 3);
  CHECK(order == std::vector{1, 2, 3});
}

TEST_CASE("a cancelled lookup or job is silent") {
  FakeLoop loop;
  int calls = 0;
  int jobs = 0;
  {
    auto work = loop.work([&] { ++jobs; }, [&] { ++calls; });
    auto lookup = loop.resolve("127.0.0.1", 1, [&](const Result<std::vector<SocketAddress>>&) { ++calls; });
  }
  loop.run_posted();
  CHECK(calls == 0);
  auto work = loop.work([&] { ++jobs; }, [&] { ++calls; });
  auto lookup = loop.resolve("127.0.0.1", 7, [&](Result<std::vector<SocketAddress>> found) {
    ++calls;
    REQUIRE(found);
    CHECK(found->front().text() == "127.0.0.1:7");
  });
  auto unknown = loop.resolve("no.such.name", 7, [&](const Result<std::vector<SocketAddress>>& found) {
    ++calls;
    CHECK(found.error().code == aiot::Errc::unreachable);
  });
  loop.run_posted();
  CHECK(calls == 3);
}

TEST_CASE("run goes on until nothing is left or stop") {
  FakeLoop loop;
  int fired = 0;
  std::unique_ptr<aiot::Timer> timer;
  timer = loop.make_timer([&] {
    if (++fired == 5) loop.stop();
    timer->start(1s);
  });
  timer->start(1s);
  loop.run();
  CHECK(fired == 5);
  timer->stop();
  loop.run();
  CHECK(fired == 5);
}
