#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <optional>
#include <random>
#include <string>

#include "daemon/store/store.h"
#include "support/temporary_folder.h"
#include "support/test_loop.h"

using namespace aiot;
using namespace aiot::test;
using namespace std::chrono_literals;

namespace {

/// store_writer, until it has told `lines` lines and a moment more; what it told last.
std::uint64_t write_and_kill(const std::string& folder, const std::string& checkpoint, int lines,
                             useconds_t moment) {
  const char* program = std::getenv("AIOT_STORE_WRITER");
  REQUIRE(program != nullptr);
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  std::string name = program;
  std::string path = folder;
  std::string limit = checkpoint;
  char* arguments[] = {name.data(), path.data(), limit.data(), nullptr};
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, program, &actions, nullptr, arguments, environ) == 0);
  posix_spawn_file_actions_destroy(&actions);
  ::close(ends[1]);
  std::string told;
  char buffer[4096];
  bool killed = false;
  while (true) {
    if (!killed && std::count(told.begin(), told.end(), '\n') >= lines) {
      ::usleep(moment);  // the moment is what varies
      ::kill(child, SIGKILL);
      killed = true;
    }
    const auto got = ::read(ends[0], buffer, sizeof buffer);
    if (got <= 0) break;
    told.append(buffer, static_cast<std::size_t>(got));
  }
  ::close(ends[0]);
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(killed);
  CHECK(WIFSIGNALED(status));
  CHECK(WTERMSIG(status) == SIGKILL);
  const auto end = told.rfind('\n');
  REQUIRE(end != std::string::npos);
  const auto begin = end == 0 ? std::string::npos : told.rfind('\n', end - 1);
  return std::strtoull(told.c_str() + (begin == std::string::npos ? 0 : begin + 1), nullptr, 10);
}

}  // namespace

TEST_CASE("After kill -9 at any moment all that was acknowledged is there, once and in order") {
  std::mt19937 random(std::random_device{}());
  TemporaryFolder folder;
  std::uint64_t acknowledged = 0;
  for (int round = 0; round < 25; ++round) {
    const auto told =
        write_and_kill(folder.path, round % 3 == 0 ? "100000" : "300", 1 + static_cast<int>(random() % 60),
                       static_cast<useconds_t>(random() % 20'000));
    CHECK(told > acknowledged);
    acknowledged = told;

    TestLoop loop;
    store::Options options;
    options.folder = folder.path;
    options.max_age = Duration::zero();
    store::Restored restored;
    auto opened = store::open_sqlite_store(loop.loop(), std::move(options), restored);
    REQUIRE(opened);
    auto& store = **opened;
    const auto stored = store.position("paris", "s1").committed;
    CHECK(stored >= acknowledged);
    acknowledged = stored;

    CHECK(restored.nodes.size() == 5);
    std::map<std::string, std::uint64_t> last;
    for (const auto& node : restored.nodes)
      for (const auto& value : node.values)
        last[node.record.uid + value.resource] = std::strtoull(value.bytes.c_str(), nullptr, 10);

    std::uint64_t total = 0;
    for (std::uint64_t series = 0; series < 35; ++series) {
      // The numbers below `stored` that are of this series.
      std::uint64_t expected = series;
      store::HistoryQuery query;
      query.uid = "n" + std::to_string(series % 5);
      query.resource = "r" + std::to_string(series % 7);
      query.limit = 100'000;
      std::optional<store::HistoryPage> page;
      const auto operation = store.history(query, [&](auto result) {
        REQUIRE(result);
        page = std::move(*result);
      });
      REQUIRE(loop.run_until([&] { return page.has_value(); }));
      for (const auto& point : page->points) {
        if (point.bytes != std::to_string(expected))
          FAIL("found " << point.bytes << " instead of " << expected);
        expected += 35;
        ++total;
      }
      CHECK(expected >= stored);
      CHECK(last[query.uid + query.resource] + 35 == expected);
    }
    CHECK(total == stored);
  }
}
