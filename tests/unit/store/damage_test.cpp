#include <filesystem>
#include <fstream>
#include <random>

#include "daemon/store/database.h"
#include "store/store_support.h"

using namespace aiot;
using namespace aiot::test;
namespace fs = std::filesystem;
using Strings = std::vector<std::string>;

namespace {

std::string slurp(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void spill(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary) << bytes;
}

/// A store with some of everything, in chunks and in the log.
void populate(StoreHost& host) {
  host.options.checkpoint_points = 1000;
  host.open();
  for (int n = 0; n < 20; ++n) {
    const std::string uid = "n" + std::to_string(n);
    host.store->node(node_record(uid));
    for (int i = 0; i < 100; ++i) host.put(uid, "t", std::to_string(i), at(i));
    store::Event event;
    event.uid = uid;
    host.store->event(event);
  }
  host.commit("paris", "s1", 1);
  REQUIRE(host.until_checkpointed(2000));
  host.put("n0", "t", "last", at(1000));
  host.commit("paris", "s1", 2);
}

/// Whatever is there: it is asked, and what is recorded from here on is kept. The folder is left to a new
/// start.
void exercise(StoreHost& host) {
  for (const char* uid : {"n0", "n7", "n19"}) {
    store::HistoryQuery query;
    query.uid = uid;
    query.resource = "t";
    query.limit = 10'000;
    (void)host.try_history(query);
  }
  {
    bool answered = false;
    const auto operation = host.store->events({}, [&](auto) { answered = true; });
    REQUIRE(host.loop.run_until([&] { return answered; }));
  }
  host.store->node(node_record("new"));
  for (int i = 0; i < 1200; ++i) host.put("new", "t", std::to_string(i), at(i));
  bool done = false;
  host.store->commit("oslo", "s", 5, [&](Result<> result) { done = result.has_value(); });
  REQUIRE(host.loop.run_until([&] { return done; }, 30s));
  host.reopen();
  CHECK(host.all("new", "t").size() == 1200);
  CHECK(host.restored_values("new") == Strings{"t=1199"});
  CHECK(host.store->position("oslo", "s").committed == 5);
}

bool told(const StoreHost& host, const std::string& type, const std::string& part) {
  for (const auto& [told_type, message] : host.notices)
    if (told_type == type && message.find(part) != std::string::npos) return true;
  return false;
}

}  // namespace

TEST_CASE("A database that is cut anywhere is set aside, said so, and the store goes on") {
  TemporaryFolder original;
  {
    StoreHost host(original.path);
    populate(host);
    host.close();
  }
  const std::string whole = slurp(original.path + "/history.db");
  REQUIRE(whole.size() > 40'000);
  std::mt19937 random(11);
  std::vector<std::size_t> sizes{
      0, 1, 15, 16, 99, 100, 101, 4095, 4096, 4097, whole.size() - 1, whole.size() - 4096};
  for (std::size_t page = 2 * 4096; page < whole.size(); page += 3 * 4096) sizes.push_back(page);
  for (int i = 0; i < 15; ++i) sizes.push_back(random() % whole.size());
  for (const auto size : sizes) {
    INFO("cut to " << size);
    TemporaryFolder folder;
    StoreHost host(folder.path);
    spill(host.path(), whole.substr(0, size));
    host.open();
    host.loop.run_for(1ms);
    CHECK(told(host, "store_damaged", host.path()));
    if (size > 0)
      CHECK(slurp(host.path() + ".damaged-1").substr(0, 16) ==
            whole.substr(0, std::min<std::size_t>(16, size)));
    exercise(host);
  }
}

TEST_CASE("Bits that flipped in a database neither crash nor stop the store") {
  TemporaryFolder original;
  {
    StoreHost host(original.path);
    populate(host);
    host.close();
  }
  const std::string whole = slurp(original.path + "/history.db");
  std::mt19937 random(12);
  for (int round = 0; round < 60; ++round) {
    TemporaryFolder folder;
    StoreHost host(folder.path);
    std::string flipped = whole;
    for (int i = 0; i <= round % 4 * 20; ++i) {
      // The first page, which holds the schema, more often than the others.
      const std::size_t position = random() % (i % 3 == 0 ? 4096 : flipped.size());
      flipped[position] = static_cast<char>(flipped[position] ^ (1 << random() % 8));
    }
    spill(host.path(), flipped);
    const auto refused = host.try_open();
    if (!refused.empty()) {
      CHECK(refused.find(host.path()) != std::string::npos);  // it reads as of a newer version
      continue;
    }
    exercise(host);
  }
}

TEST_CASE("Of a write-ahead log that is cut or changed, what was whole before it counts") {
  TemporaryFolder original;
  StoreHost first(original.path);
  first.open();
  first.store->node(node_record("n0"));
  for (int i = 0; i < 30; ++i) {
    first.put("n0", "t", std::to_string(i), at(i));
    first.commit("paris", "s1", static_cast<std::uint64_t>(i) + 1);
  }
  const std::string database = slurp(first.path());
  const std::string log = slurp(first.path() + "-wal");
  REQUIRE(log.size() > 10'000);
  std::mt19937 random(13);
  for (int round = 0; round < 40; ++round) {
    TemporaryFolder folder;
    StoreHost host(folder.path);
    std::string changed = log;
    const std::size_t position = random() % log.size();
    if (round % 2 == 0) {
      changed.resize(position);
    } else {
      changed[position] = static_cast<char>(changed[position] ^ 4);
    }
    spill(host.path(), database);
    spill(host.path() + "-wal", changed);
    host.open();
    const auto committed = host.store->position("paris", "s1").committed;
    const auto values = host.all("n0", "t");
    REQUIRE(values.size() == committed);
    for (std::size_t i = 0; i < values.size(); ++i) CHECK(values[i] == std::to_string(i));
    exercise(host);
  }
}

TEST_CASE("What is not a database of ours is set aside under a name not in use") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  spill(host.path(), std::string(10'000, 'x'));
  host.open();
  host.loop.run_for(1ms);
  CHECK(told(host, "store_damaged", host.path() + ".damaged-1"));
  CHECK(slurp(host.path() + ".damaged-1") == std::string(10'000, 'x'));
  host.kill();
  fs::remove(host.path());
  fs::remove(host.path() + "-wal");
  {
    const auto other = store::Database::open(host.path(), store::Database::Mode::create);
    REQUIRE(other->execute("CREATE TABLE node(somebody_elses)"));
  }
  host.open();
  host.loop.run_for(1ms);
  CHECK(told(host, "store_damaged", host.path() + ".damaged-2"));
  exercise(host);
}

TEST_CASE(
    "What can be read of a damaged database is taken along: nodes, last values, positions, the latest "
    "history") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  populate(host);
  host.close();
  {
    const auto database = store::Database::open(host.path(), store::Database::Mode::create);
    REQUIRE(database->execute("DROP TABLE kept_write"));
  }
  host.open();
  CHECK(host.restored.nodes.size() == 20);
  CHECK(host.restored_values("n0") == Strings{"t=last"});
  CHECK(host.restored_values("n5") == Strings{"t=99"});
  CHECK(host.store->position("paris", "s1").committed == 2);
  CHECK(host.all("n0", "t") == Strings{"last"});
  store::Event event;
  CHECK(host.store->event(event) == 21);
  exercise(host);
}

TEST_CASE("Damage that shows while it runs is said, and nothing that waits is lost") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  populate(host);
  {
    const auto database = store::Database::open(host.path(), store::Database::Mode::create);
    REQUIRE(database->execute("DROP TABLE arrival"));
  }
  host.put("n1", "t", "after", at(2000));
  host.put("n1", "later", "1", at(2000));
  host.commit("paris", "s1", 3);
  CHECK(told(host, "store_damaged", host.path() + ".damaged-1"));
  CHECK(host.store->position("paris", "s1").committed == 3);
  host.put("n0", "t", "more", at(2001));
  host.commit("paris", "s1", 4);
  host.reopen();
  CHECK(host.restored.nodes.size() == 20);
  CHECK(host.restored_values("n1") == Strings{"later=1", "t=after"});
  CHECK(host.all("n0", "t") == Strings{"more"});
  CHECK(host.store->position("paris", "s1").committed == 4);
  exercise(host);
}

TEST_CASE("A group of the log that is damaged is left out, and said") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  populate(host);
  host.put("n1", "t", "good", at(2000));
  host.commit();
  host.close();
  {
    const auto database = store::Database::open(host.path(), store::Database::Mode::create);
    REQUIRE(database->execute("UPDATE arrival SET crc = crc + 1 WHERE id = (SELECT min(id) FROM arrival)"));
  }
  host.open();
  host.loop.run_for(1ms);
  CHECK(told(host, "store_damaged", "damaged and left out"));
  CHECK(host.restored_values("n0") == Strings{"t=99"});
  CHECK(host.restored_values("n1") == Strings{"t=good"});
}
