#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <cstring>
#include <optional>
#include <string>
#include <vector>

#include "daemon/store/store.h"
#include "support/temporary_folder.h"
#include "support/test_loop.h"

using namespace aiot;
using namespace aiot::test;
using namespace std::chrono_literals;

namespace {

/// A disk of 4 MB, in a mount namespace of this process.
struct SmallDisk {
  SmallDisk() {
    REQUIRE(::unshare(CLONE_NEWNS) == 0);
    REQUIRE(::mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0);
    REQUIRE(::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=4m") == 0);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;
  ~SmallDisk() { ::umount2(folder.path.c_str(), MNT_DETACH); }

  /// Takes all the room that is left.
  void fill() const {
    const int fd = ::open((folder.path + "/ballast").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    const std::string block(4096, 'x');
    while (::write(fd, block.data(), block.size()) > 0) {
    }
    ::close(fd);
  }
  void free() const { ::unlink((folder.path + "/ballast").c_str()); }

  TemporaryFolder folder;
};

struct Opened {
  explicit Opened(const std::string& folder, std::uint64_t queue_bytes = 64UL * 1024 * 1024) {
    store::Options options;
    options.folder = folder;
    options.max_age = Duration::zero();
    options.queue_bytes = queue_bytes;
    options.notice = [this](const std::string& type, const std::string& message) {
      notices.push_back(type);
      messages += message + "\n";
    };
    auto opened = store::open_sqlite_store(loop.loop(), std::move(options), restored);
    REQUIRE(opened);
    store = std::move(*opened);
  }
  void put(int number) {
    const std::string bytes = std::to_string(number);
    store::ValueView value;
    value.resource = "t";
    value.bytes = bytes;
    value.time = WallTime(std::chrono::milliseconds(number));
    store->update("n1", value);
  }
  std::size_t count(std::size_t limit) {
    store::HistoryQuery query;
    query.uid = "n1";
    query.resource = "t";
    query.limit = limit;
    std::optional<store::HistoryPage> page;
    const auto operation = store->history(query, [&](auto result) {
      REQUIRE(result);
      page = std::move(*result);
    });
    REQUIRE(loop.run_until([&] { return page.has_value(); }));
    for (std::size_t i = 0; i < page->points.size(); ++i) REQUIRE(page->points[i].bytes == std::to_string(i));
    return page->points.size();
  }

  TestLoop loop;
  store::Restored restored;
  std::unique_ptr<store::Store> store;
  std::vector<std::string> notices;
  std::string messages;
};

}  // namespace

TEST_CASE("A full disk is said once; what arrives waits, and is stored when there is room again") {
  const SmallDisk disk;
  Opened host(disk.folder.path);
  host.put(0);
  bool first = false;
  host.store->commit("paris", "s1", 1, [&](Result<> done) { first = done.has_value(); });
  REQUIRE(host.loop.run_until([&] { return first; }));
  disk.fill();

  bool done = false;
  for (int i = 1; i < 20'000; ++i) host.put(i);
  host.store->commit("paris", "s1", 20'000, [&](Result<> result) {
    CHECK(result);
    done = true;
  });
  REQUIRE(host.loop.run_until([&] { return host.store->counters().failures >= 3; }));
  CHECK(host.notices == std::vector<std::string>{"store_failed"});
  CHECK(host.messages.find(disk.folder.path + "/history.db") != std::string::npos);
  CHECK_FALSE(done);
  CHECK(host.store->position("paris", "s1").committed == 1);
  CHECK(host.store->position("paris", "s1").recorded == 20'000);
  CHECK_FALSE(host.store->full());
  CHECK(host.count(100'000) == 1);  // what is on disk is served

  disk.free();
  REQUIRE(host.loop.run_until([&] { return done; }));
  CHECK(host.notices == std::vector<std::string>{"store_failed", "store_recovered"});
  CHECK(host.store->position("paris", "s1").committed == 20'000);
  CHECK(host.store->counters().queued == 0);
  CHECK(host.count(100'000) == 20'000);
}

TEST_CASE("While a disk is full the store says when it has enough, and then counts what it drops") {
  const SmallDisk disk;
  Opened host(disk.folder.path, 200'000);
  disk.fill();
  int i = 0;
  for (; !host.store->full(); ++i) host.put(i);
  CHECK(host.store->counters().dropped == 0);
  while (host.store->counters().dropped == 0) host.put(i++);
  CHECK(host.store->counters().queued > 400'000);
  CHECK(host.store->counters().queued < 500'000);
  const auto kept = host.store->counters().updates;
  CHECK(kept == static_cast<std::uint64_t>(i) - 1);
  // What was dropped is not acknowledged: its gateway sends it again.
  bool refused = false;
  host.store->commit("paris", "s1", 9, [&](Result<> result) { refused = !result.has_value(); });
  REQUIRE(host.loop.run_until([&] { return refused; }));
  CHECK(host.store->position("paris", "s1").recorded == 0);
  disk.free();
  REQUIRE(host.loop.run_until([&] { return host.store->counters().stored == kept; }));
  CHECK_FALSE(host.store->full());
  CHECK(host.count(100'000) == kept);
}

TEST_CASE("Closing on a full disk ends with an error, soon") {
  const SmallDisk disk;
  Opened host(disk.folder.path);
  disk.fill();
  for (int i = 0; i < 20'000; ++i) host.put(i);
  std::optional<Error> committed;
  host.store->commit("paris", "s1", 9, [&](Result<> result) {
    REQUIRE_FALSE(result);
    committed = result.error();
  });
  std::optional<Error> closed;
  host.store->close([&](Result<> result) {
    REQUIRE_FALSE(result);
    closed = result.error();
  });
  REQUIRE(host.loop.run_until([&] { return closed.has_value(); }, 5s));
  REQUIRE(committed);
  CHECK(closed->message.find("history.db") != std::string::npos);
}
