#include "daemon/store/names.h"

#include <catch2/catch.hpp>

#include "daemon/store/streams.h"

using namespace aiot::store;

TEST_CASE("A name has one number, which is declared once and before its use") {
  Names names;
  Group group;
  const auto temperature = names.series("n1", "temperature", group);
  REQUIRE(group.changes.size() == 2);
  CHECK(std::get<NodeName>(group.changes[0]).uid == "n1");
  CHECK(std::get<SeriesName>(group.changes[1]).id == temperature);
  CHECK(std::get<SeriesName>(group.changes[1]).node == std::get<NodeName>(group.changes[0]).id);
  CHECK(names.series("n1", "temperature", group) == temperature);
  CHECK(group.changes.size() == 2);
  CHECK(names.series("n2", "temperature", group) != temperature);
  CHECK(names.find("n1", "temperature") == temperature);
  CHECK_FALSE(names.find("n1", "led"));
  CHECK_FALSE(names.find("n3", "temperature"));
}

TEST_CASE("The numbers of a forgotten node never come back") {
  Names names;
  Group group;
  const auto before = names.series("n1", "temperature", group);
  const auto node = names.node("n1", group);
  names.forget("n1");
  names.forget("n1");
  CHECK_FALSE(names.find("n1"));
  CHECK(names.series("n1", "temperature", group) > before);
  CHECK(names.node("n1", group) > node);
}

TEST_CASE("Names that were loaded are known, and new ones follow") {
  Names names;
  names.load({{3, "n1"}}, {{7, 3, "led"}, {8, 99, "of nobody"}}, 10, 20);
  Group group;
  CHECK(names.series("n1", "led", group) == 7);
  CHECK(group.empty());
  CHECK(names.series("n2", "led", group) == 20);
  CHECK(names.node("n2", group) == 10);
  Group all;
  names.declare(all);
  CHECK(all.changes.size() == 4);
}

TEST_CASE("Of a gateway's streams the latest are remembered") {
  Streams streams;
  for (std::size_t i = 0; i < kMaxStreams + 4; ++i) streams.recorded("paris", std::to_string(i), 5);
  const std::string latest = std::to_string(kMaxStreams + 3);
  CHECK(streams.current("paris") == latest);
  CHECK(streams.position("paris", "3").recorded == 0);
  CHECK(streams.position("paris", "4").recorded == 5);
  streams.committed("paris", "4", 5);
  CHECK(streams.current("paris") == latest);
  CHECK(streams.position("paris", "4").committed == 5);
  streams.use("paris", "4");
  CHECK(streams.current("paris") == "4");
  CHECK(streams.all().size() == kMaxStreams);
}
