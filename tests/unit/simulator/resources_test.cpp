#include "daemon/simulator/resources.h"

#include <catch2/catch.hpp>

#include "daemon/simulator/node_values.h"

using namespace aiot;
using namespace aiot::simulator;

TEST_CASE("A simulated quantity carries its unit and stays within its range") {
  const auto made = make_resources({"temperature", "pressure", "humidity"});
  REQUIRE(made);
  Wander wander(7);
  for (const auto& resource : *made) {
    auto level = first_level(resource, wander);
    bool moved = false;
    for (int i = 0; i < 5000; ++i) {
      const auto next = next_level(resource, level, wander);
      CHECK(next >= resource.low);
      CHECK(next <= resource.high);
      moved = moved || next != level;
      level = next;
    }
    CHECK(moved);
    const auto text = format_value(resource, 20.5, wander);
    CHECK(text == "20.50" + resource.unit);
  }
  CHECK((*made)[0].unit == "°C");
  CHECK((*made)[1].unit == "hPa");
}

TEST_CASE("Two nodes do not show the same temperature") {
  const auto made = make_resources({"temperature"});
  REQUIRE(made);
  Wander one(1);
  Wander two(2);
  CHECK(first_level(made->front(), one) != first_level(made->front(), two));
}

TEST_CASE("The resources of a node are listed as RIOT lists them") {
  const auto made = make_resources({"name", "led"});
  REQUIRE(made);
  CHECK(link_format_of(*made) == "</.well-known/core>,</name>,</led>");
}

TEST_CASE("Only a led can be written and only measurements change") {
  const auto made = make_resources({"name", "led", "imu", "position", "soil-7"});
  REQUIRE(made);
  const auto& all = *made;
  CHECK(all[1].writable());
  CHECK_FALSE(all[0].writable());
  CHECK_FALSE(all[0].changes());
  CHECK_FALSE(all[1].changes());
  CHECK(all[2].changes());
  CHECK_FALSE(all[3].changes());
  CHECK(all[4].changes());
}

TEST_CASE("A bad list of resources is refused with a sentence that names it") {
  const auto refused = [](const std::vector<std::string>& names, const std::string& about) {
    const auto made = make_resources(names);
    REQUIRE_FALSE(made);
    CHECK(made.error().code == Errc::usage);
    CHECK(made.error().message.find(about) != std::string::npos);
  };
  refused({}, "at least one");
  refused({"led", "led"}, "twice");
  refused({"a/b"}, "\"a/b\"");
  refused({""}, "\"\"");
  refused({std::string(33, 'x')}, "resource name");
  refused(std::vector<std::string>(65, "x"), "too many");
}

TEST_CASE("A simulated led takes 0 and 1, a robot any text, a sensor none") {
  const auto blueprint = Blueprint::make({"led", "robot", "temperature"}, false);
  REQUIRE(blueprint);
  NodeValues values(*blueprint, 0);
  CHECK(values.write(0, "1"));
  CHECK_FALSE(values.write(0, "2"));
  CHECK(values.at(0) == "1");
  CHECK(values.at(1) == "s");
  CHECK(values.write(1, "u"));
  CHECK(values.at(1) == "u");
  CHECK_FALSE(values.write(2, "20"));
}
