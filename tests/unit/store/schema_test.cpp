#include "daemon/store/schema.h"

#include <filesystem>
#include <fstream>

#include "store/store_support.h"

using namespace aiot;
using namespace aiot::test;

TEST_CASE("A store of a newer version is refused, naming file and versions, and left as it is") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  host.put("n1", "t", "1", at(0));
  host.close();
  {
    const auto database = store::Database::open(host.path(), store::Database::Mode::create);
    REQUIRE(database->execute("PRAGMA user_version = 1000"));
  }
  const auto message = host.try_open();
  CHECK(message.find(host.path()) != std::string::npos);
  CHECK(message.find("newer") != std::string::npos);
  CHECK(message.find("1000") != std::string::npos);
  CHECK(host.number("SELECT count(*) FROM arrival") == 1);
  CHECK_FALSE(std::filesystem::exists(host.path() + ".damaged-1"));
}

TEST_CASE("An older store is brought up to date in one transaction") {
  TemporaryFolder folder;
  StoreHost host(folder.path);
  host.open();
  host.put("n1", "t", "1", at(0));
  host.close();
  auto steps = store::schema_steps();
  const auto versions = static_cast<std::int64_t>(steps.size());
  steps.push_back("CREATE TABLE later(x); INSERT INTO later SELECT count(*) FROM arrival");
  {
    auto bad = steps;
    bad.push_back("CREATE TABLE even_later(x); SELECT * FROM nowhere");
    const auto opened = store::open_database(host.path(), bad);
    REQUIRE(opened);
    CHECK_FALSE((*opened)->good());
  }
  CHECK(host.number("PRAGMA user_version") == versions);
  CHECK(host.number("SELECT count(*) FROM later") == -1);
  {
    const auto opened = store::open_database(host.path(), steps);
    REQUIRE(opened);
    REQUIRE((*opened)->good());
    CHECK((*opened)->number("SELECT x FROM later", -1) == 1);
  }
  CHECK(host.number("PRAGMA user_version") == versions + 1);
}

TEST_CASE("A second broker is kept out of the folder") {
  TemporaryFolder folder;
  StoreHost first(folder.path);
  first.open();
  StoreHost second(folder.path);
  const auto message = second.try_open();
  CHECK(message.find("another broker") != std::string::npos);
  CHECK(message.find(folder.path + "/broker.lock") != std::string::npos);
  first.kill();
  second.open();
}

TEST_CASE("A folder that cannot be used is said") {
  TemporaryFolder folder;
  std::ofstream(folder.path + "/file") << "x";
  StoreHost host(folder.path + "/file/below");
  CHECK(host.try_open().find(folder.path + "/file/below") != std::string::npos);
  std::filesystem::create_directory(folder.path + "/history.db");
  StoreHost blocked(folder.path);
  CHECK(blocked.try_open().find(folder.path + "/history.db") != std::string::npos);
}
