#include "daemon/gateway/topic_map.h"

#include <catch2/catch.hpp>

#include "daemon/gateway/home_assistant.h"

namespace aiot::gateway {
namespace {

std::string place(const char* pattern, const char* topic) {
  const auto map = TopicMap::parse(pattern);
  REQUIRE(map);
  const auto found = map->match(topic);
  return found ? std::string(found->node) + "|" + std::string(found->resource) : "-";
}

std::string values(std::string_view resource, std::string_view payload) {
  const auto found = mapped_values(resource, payload);
  if (!found) return "error: " + found.error().message;
  std::string out;
  for (const auto& [name, value] : *found)
    out += name + "=" + value.bytes + (value.content_format ? "(json) " : " ");
  return out;
}

TEST_CASE("A topic map finds node and resource, also inside a level") {
  CHECK(TopicMap::parse("sensors/{node}/{resource}")->filter() == "sensors/+/+");
  CHECK(place("sensors/{node}/{resource}", "sensors/door/open") == "door|open");
  CHECK(place("sensors/{node}/{resource}", "sensors/door") == "-");
  CHECK(place("sensors/{node}/{resource}", "sensors/door/open/now") == "-");
  CHECK(place("sensors/{node}/{resource}", "other/door/open") == "-");
  CHECK(place("{node}", "door") == "door|");
  CHECK(place("home/+/dev-{node}-x/{resource}", "home/1/dev-a-x/t") == "a|t");
  CHECK(place("home/+/dev-{node}-x/{resource}", "home/1/dev--x/t") == "-");
  CHECK(place("/{node}/", "/a/") == "a|");
}

TEST_CASE("A pattern that is no map is refused with a reason") {
  for (const char* bad : {"", "sensors", "{node}/{node}", "{node}/{resource}/{resource}", "{node}/#",
                          "{node}/a+", "{nodes}/{node}", "{node}{resource}", "{node"})
    CHECK_FALSE(TopicMap::parse(bad));
}

TEST_CASE("A payload is plain text, a JSON value, or an object of several resources") {
  CHECK(values("t", "21 °C") == "t=21 °C ");
  CHECK(values("t", "21.50") == "t=21.50(json) ");
  CHECK(values("t", "\"on\"") == "t=on ");
  CHECK(values("t", "[1,2]") == "t=[1,2](json) ");
  CHECK(values("t", "") == "t= ");
  CHECK(values("t", R"({"value":3})") == "t=3(json) ");
  CHECK(values("t", R"({"a":"x","b":{"c":1}})") == R"(t/a=x t/b={"c":1}(json) )");
  CHECK(values("", R"({"a":"x","b":2})") == "a=x b=2(json) ");
  CHECK(values("", "5") == "value=5(json) ");
  CHECK(values("", "{broken") == "value={broken ");
  CHECK(values("", "{}").empty());
  CHECK(values("t", "\xff").starts_with("error"));
  CHECK(values("t", "{\"a\":\"\xff\"}").starts_with("error"));
  CHECK(values("t", "{\"a\":" + std::string(60, '[') + std::string(60, ']') + "}").starts_with("error"));
}

TEST_CASE("Home Assistant's discovery topics are known by their form") {
  CHECK(is_discovery_topic("homeassistant", "homeassistant/sensor/node/temp/config"));
  CHECK(is_discovery_topic("homeassistant", "homeassistant/sensor/temp/config"));
  CHECK_FALSE(is_discovery_topic("homeassistant", "homeassistant/sensor/config"));
  CHECK_FALSE(is_discovery_topic("homeassistant", "homeassistant/status"));
  CHECK_FALSE(is_discovery_topic("homeassistant", "homeassistants/sensor/temp/config"));
  CHECK_FALSE(is_discovery_topic("", "/sensor/temp/config"));
}

TEST_CASE("A discovery message describes a resource, with abbreviations, base topic, template and unit") {
  const auto found = parse_discovery("ha", "ha/sensor/0x15/temperature/config", R"({"~":"z2m/kitchen",
      "stat_t":"~","val_tpl":"{{ value_json.climate['temp'] | round(1) }}","unit_of_meas":"°C",
      "dev":{"ids":["zigbee/0x15"],"name":"Kitchen"}})");
  REQUIRE(found);
  REQUIRE(found->size() == 1);
  const auto& entity = found->front();
  CHECK(entity.node == "zigbee_0x15");
  CHECK(entity.resource == "temperature");
  CHECK(entity.state_topic == "z2m/kitchen");
  CHECK(entity.path == std::vector<std::string>{"climate", "temp"});
  CHECK(state_value(entity, R"({"climate":{"temp":21.5}})")->bytes == "21.5°C");
  CHECK_FALSE(state_value(entity, R"({"battery":90})"));
  CHECK_FALSE(state_value(entity, "nonsense"));
}

TEST_CASE("A switch without a device is a node of its object id and takes writes") {
  const auto found = parse_discovery("ha", "ha/switch/plug/config",
                                     R"({"state_topic":"plug/state","command_topic":"plug/set"})");
  REQUIRE(found);
  CHECK(found->front().node == "plug");
  CHECK(found->front().resource == "plug");
  CHECK(found->front().command_topic == "plug/set");
  CHECK(state_value(found->front(), "ON")->bytes == "ON");
}

TEST_CASE("A device's discovery message describes all its components") {
  const auto found = parse_discovery("ha", "ha/device/d1/config", R"({"dev":{"ids":"d1"},"stat_t":"d1/s",
      "cmps":{"d1_t":{"p":"sensor","val_tpl":"{{ value_json.t }}"},"lamp":{"p":"light","cmd_t":"d1/set"},"x":1}})");
  REQUIRE(found);
  REQUIRE(found->size() == 2);
  CHECK((*found)[0].resource == "t");
  CHECK((*found)[0].state_topic == "d1/s");
  CHECK((*found)[1].command_topic == "d1/set");
}

TEST_CASE("A discovery message that cannot be used says why, an empty one withdraws") {
  CHECK(parse_discovery("ha", "ha/sensor/x/config", "")->empty());
  for (const char* bad : {"{", "[]", "{}", R"({"stat_t":1})", R"({"stat_t":"a","dev":{"ids":[""]}})"}) {
    const auto found = parse_discovery("ha", "ha/sensor/x/config", bad);
    INFO(bad);
    if (found) CHECK(found->front().state_topic != "");
  }
  CHECK_FALSE(parse_discovery("ha", "ha/sensor/x/config", "{}"));
  CHECK_FALSE(parse_discovery("ha", "ha/device/x/config", R"({"dev":{"ids":"a"}})"));
}

}  // namespace
}  // namespace aiot::gateway
