#include "cli/schedule.h"

#include <catch2/catch.hpp>
#include <memory>

using namespace aiot::cli;

namespace {

struct Fixture {
  std::vector<std::size_t> started;
  Schedule schedule;
  Fixture(std::size_t parallel, std::vector<std::string> hosts)
      : schedule(parallel, std::move(hosts), [this](std::size_t index) { started.push_back(index); }) {
    schedule.go();
  }
};

using Order = std::vector<std::size_t>;

}  // namespace

TEST_CASE("one host is asked one thing at a time, in order") {
  Fixture f(16, {"a", "a", "a"});
  CHECK(f.started == Order{0});
  f.schedule.finished(0);
  CHECK(f.started == Order{0, 1});
  f.schedule.finished(1);
  f.schedule.finished(2);
  CHECK(f.started == Order{0, 1, 2});
  CHECK(f.schedule.done());
}

TEST_CASE("several hosts are asked at once, up to the bound") {
  Fixture f(2, {"a", "b", "c", "a"});
  CHECK(f.started == Order{0, 1});
  f.schedule.finished(1);
  CHECK(f.started == Order{0, 1, 2});
  CHECK_FALSE(f.schedule.done());
  f.schedule.finished(0);
  CHECK(f.started == Order{0, 1, 2, 3});
}

TEST_CASE("a slow host does not hold up the others") {
  Fixture f(4, {"slow", "slow", "b", "c", "d"});
  CHECK(f.started == Order{0, 2, 3, 4});
}

TEST_CASE("ten thousand targets on a hundred hosts all run once") {
  std::vector<std::string> hosts;
  for (int i = 0; i < 10'000; ++i) hosts.push_back(std::to_string(i % 100));
  Fixture f(16, hosts);
  for (std::size_t done = 0; done < f.started.size(); ++done) f.schedule.finished(f.started[done]);
  CHECK(f.started.size() == 10'000);
  CHECK(f.schedule.done());
}
