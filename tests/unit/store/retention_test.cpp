#include "daemon/store/upkeep.h"

#include <filesystem>
#include <random>

#include "daemon/store/archive.h"
#include "daemon/store/streams.h"
#include "store/store_support.h"

using namespace aiot;
using namespace aiot::test;

namespace {

/// The worker's half alone, whose clock is ours.
struct ArchiveHost {
  explicit ArchiveHost(const store::Limits& limits) : archive(folder.path + "/history.db", limits) {
    store::Loaded loaded;
    std::vector<std::string> notices;
    REQUIRE(archive.open(loaded, notices));
    store::Group group;
    group.changes.push_back(store::NodeName{1, "n1"});
    for (store::SeriesId id = 1; id <= kSeries; ++id)
      group.changes.push_back(store::SeriesName{id, 1, "r" + std::to_string(id)});
    REQUIRE(archive.commit(group));
  }
  /// So many points of all series together; `noise` does not compress.
  void fill(int points, WallTime from, std::size_t noise = 0) {
    store::Group group;
    for (int i = 0; i < points; ++i) {
      std::string bytes = "23.5°C";
      while (bytes.size() < noise) bytes += static_cast<char>(random());
      const auto id = static_cast<store::SeriesId>(i % kSeries + 1);
      const auto time = from + std::chrono::milliseconds(i);
      put_record(group.log, store::RecordKind::update, id, value("", bytes, time), group.previous);
    }
    REQUIRE(archive.commit(group));
  }
  /// Slices until there is nothing to do.
  void maintain(WallTime now) {
    for (int slices = 0; archive.maintain(now); ++slices) REQUIRE(slices < 100'000);
    REQUIRE(archive.failure() == store::Failure::none);
  }
  std::int64_t count(const char* sql) { return archive.database()->number(sql, -1); }
  std::int64_t points() { return count("SELECT coalesce(sum(count), 0) FROM chunk"); }

  static constexpr int kSeries = 20;
  std::mt19937 random{5};
  TemporaryFolder folder;
  store::Archive archive;
};

}  // namespace

TEST_CASE("Blocks are filled up, not scattered") {
  store::Limits limits;
  limits.checkpoint_points = 100;
  ArchiveHost host(limits);
  for (int round = 0; round < 130; ++round) {
    host.fill(100, at(round * 1000));
    host.maintain(at(0));
  }
  CHECK(host.points() == 13'000);
  CHECK(host.count("SELECT count(*) FROM arrival") == 0);
  // 650 points a series: two blocks.
  CHECK(host.count("SELECT count(*) FROM chunk") == 40);
  CHECK(host.count("SELECT max(count) FROM chunk") == store::kBlockPoints);
}

TEST_CASE("History beyond its age goes, the rest stays") {
  store::Limits limits;
  limits.checkpoint_points = 1000;
  limits.max_age = 1h;
  ArchiveHost host(limits);
  for (int hour = 0; hour < 5; ++hour) host.fill(12'000, at(hour * 3'600'000LL));
  host.maintain(at(0));
  CHECK(host.points() == 60'000);
  host.maintain(at(5 * 3'600'000LL));
  CHECK(host.points() >= 12'000);
  CHECK(host.points() <= 12'000 + 20 * store::kBlockPoints);
  CHECK(host.count("SELECT min(last) FROM chunk") >= store::to_number(at(4 * 3'600'000LL)));
  CHECK(host.archive.expired() == 60'000U - static_cast<std::uint64_t>(host.points()));
  host.maintain(at(500 * 3'600'000LL));
  CHECK(host.points() == 0);
}

TEST_CASE("A bound on the size drops the oldest, and the file stays within it") {
  store::Limits limits;
  limits.checkpoint_points = 5000;
  limits.max_bytes = 2'000'000;
  ArchiveHost host(limits);
  for (int round = 0; round < 12; ++round) {
    host.fill(5000, at(round * 10'000), 100);
    host.maintain(at(0));
  }
  CHECK(host.points() > 0);
  CHECK(host.points() + static_cast<std::int64_t>(host.archive.expired()) == 60'000);
  CHECK(host.count("SELECT min(first) FROM chunk") > store::to_number(at(0)));
  CHECK(host.count("SELECT max(last) FROM chunk") == store::to_number(at(11 * 10'000 + 4999)));
  host.archive.close();
  CHECK(std::filesystem::file_size(host.folder.path + "/history.db") <= 2'000'000);
}

TEST_CASE("What was freed is given back to the disk in the end") {
  store::Limits limits;
  limits.checkpoint_points = 5000;
  limits.max_age = 1h;
  ArchiveHost host(limits);
  for (int round = 0; round < 5; ++round) {
    host.fill(5000, at(round * 10'000), 2000);
    host.maintain(at(0));
  }
  const auto before = host.count("PRAGMA page_count");
  REQUIRE(before > 12'000);
  host.maintain(at(100 * 3'600'000LL));
  CHECK(host.points() == 0);
  CHECK(host.count("PRAGMA page_count") <= 9000);
}

TEST_CASE("Chunks of a forgotten node go in the end") {
  store::Limits limits;
  limits.checkpoint_points = 1;
  ArchiveHost host(limits);
  host.fill(30'000, at(0));
  host.maintain(at(0));
  store::Group group;
  group.changes.push_back(store::Forgotten{1, "n1"});
  REQUIRE(host.archive.commit(group));
  host.maintain(at(0));
  CHECK(host.points() == 0);
  CHECK(host.count("SELECT count(*) FROM series") == 0);
  CHECK(host.archive.expired() == 0);
}

TEST_CASE("A slice of upkeep is short") {
  store::Limits limits;
  limits.checkpoint_points = 1;
  limits.checkpoint_series = 1'000'000;
  ArchiveHost host(limits);
  host.fill(40'000, at(0));
  int slices = 0;
  while (host.archive.maintain(at(0))) ++slices;
  // One series takes some milliseconds here: they do not all go in one.
  CHECK(slices >= 3);
}

TEST_CASE("Writes with keys are kept for a day, 65,536 of them, and old events go") {
  store::Limits limits;
  limits.max_age = 24h * 30;
  ArchiveHost host(limits);
  store::Group group;
  const auto now = at(0);
  for (int i = 0; i < 65'546; ++i)
    group.changes.push_back(
        store::KeptWrite{"k" + std::to_string(i), now - std::chrono::milliseconds(i), "x"});
  group.changes.push_back(store::KeptWrite{"old", now - 25h, "x"});
  for (std::uint64_t i = 1; i <= 100; ++i) {
    store::Event event;
    event.id = i;
    event.time = now - (i <= 40 ? 24h * 31 : 1h);
    group.changes.push_back(event);
  }
  for (std::uint64_t i = 0; i < store::kMaxStreams + 40; ++i)
    group.changes.push_back(store::StreamPosition{"paris", "s" + std::to_string(i), i});
  for (std::uint64_t i = 0; i < 20; ++i)
    group.changes.push_back(store::StreamPosition{"rome", "s" + std::to_string(i), i});
  REQUIRE(host.archive.commit(group));
  host.maintain(now);
  CHECK(host.count("SELECT count(*) FROM kept_write") == 65'536);
  CHECK(host.count("SELECT count(*) FROM kept_write WHERE key IN ('old', 'k65540')") == 0);
  CHECK(host.count("SELECT count(*) FROM event") == 60);
  CHECK(host.count("SELECT count(*) FROM stream WHERE gateway = 'paris'") == store::kMaxStreams);
  CHECK(host.count("SELECT count(*) FROM stream WHERE gateway = 'rome'") == 20);
  CHECK(host.count("SELECT min(sequence) FROM stream WHERE gateway = 'paris'") == 40);
}

TEST_CASE("An answer never holds what is too old, even while the file has it") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.options.max_age = 1h;
  host.open();
  const auto now = host.loop.loop().wall_now();
  host.put("n1", "t", "old", now - 61min);
  host.put("n1", "t", "new", now - 59min);
  CHECK(host.all("n1", "t") == std::vector<std::string>{"new"});
}
