#include <catch2/catch.hpp>

#include "daemon/gateway/identity.h"
#include "daemon/gateway/node_message.h"
#include "policy_fixture.h"

namespace aiot::gateway {
namespace {

using namespace std::chrono_literals;

struct Messages : Played {
  Messages() : Played(at_home()) {}

  static PolicyOptions at_home() {
    PolicyOptions options;
    options.site = "home";
    return options;
  }

  Result<void> mqtt(const std::string& topic, const std::string& payload, bool retained = false) {
    return take_node_message(policy, {Protocol::mqtt, {}, retained, {}}, topic, payload, now);
  }
  static std::string uid(const std::string& id) { return make_uid("home", "MQTT", id); }
  /// What was answered to the last request, as text.
  std::string answered() {
    REQUIRE_FALSE(effects.answers.empty());
    auto answer = std::move(effects.answers.back());
    effects.answers.pop_back();
    if (answer.error)
      return fmt::format("{} {}", to_string(answer.error->code), to_string(answer.error->outcome));
    return answer.confirmed + ":" + answer.payload;
  }
  void ask(Method method, const std::string& resource, const std::string& payload, Duration deadline = 5s) {
    wire::Ask ask;
    ask.id = 7;
    ask.uid = uid("n1");
    ask.method = method;
    ask.resource = resource;
    ask.payload = payload;
    ask.deadline = deadline;
    policy.ask(ask, now);
  }
};

TEST_CASE("A node/check makes a node, asks it for its resources, and repeats say nothing") {
  Messages world;
  REQUIRE(world.mqtt("node/check", R"({"id":"n1"})"));
  CHECK(world.happened() == Log{"joined " + Messages::uid("n1") + " n1", "tell n1 resources"});
  REQUIRE(world.mqtt("node/check", R"({"id":"n1"})"));
  CHECK(world.happened().empty());
  REQUIRE(world.mqtt("node/n1/resources", R"(["led","temperature"])"));
  CHECK(world.happened() == Log{"tell n1 values"});
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"0"})"));
  REQUIRE(world.mqtt("node/n1/temperature", R"({"value":23.5})"));
  CHECK(world.happened() == Log{"update " + Messages::uid("n1") + " led=0",
                                "update " + Messages::uid("n1") + " temperature=23.5"});
  CHECK(world.policy.table().find(Messages::uid("n1"))->find("temperature")->content_format == 50);
  CHECK_FALSE(world.policy.table().find(Messages::uid("n1"))->find("led")->content_format.has_value());
}

TEST_CASE("A number serves as an MQTT node's id, and the uid is the same for ever") {
  Messages world;
  REQUIRE(world.mqtt("node/check", R"({"id":1234})"));
  CHECK(world.policy.table().find(Messages::uid("1234")) != nullptr);
  CHECK(make_uid("home", "MQTT", "1234") == Messages::uid("1234"));
  CHECK(make_uid("home", "MQTT-SN", "1234") != Messages::uid("1234"));
}

TEST_CASE("A silent MQTT node is out, and its next value brings it back") {
  Messages world;
  REQUIRE(world.mqtt("node/check", R"({"id":"n1"})"));
  world.happened();
  world.advance(121s);
  CHECK(world.happened() == Log{"out " + Messages::uid("n1")});
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"1"})"));
  CHECK(world.happened() == Log{"joined " + Messages::uid("n1") + " n1", "tell n1 resources",
                                "update " + Messages::uid("n1") + " led=1"});
}

TEST_CASE("A retained message introduces a node, but neither keeps nor brings it back") {
  Messages world;
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"1"})", true));
  CHECK(world.policy.table().live() == 1);
  world.happened();
  world.advance(100s);
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"1"})", true));
  CHECK(world.happened().empty());
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"2"})", true));
  CHECK(world.happened() == Log{"update " + Messages::uid("n1") + " led=2"});
  world.advance(21s);
  CHECK(world.policy.table().live() == 0);
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"3"})", true));
  REQUIRE(world.mqtt("node/check", R"({"id":"n1"})", true));
  CHECK(world.policy.table().live() == 0);
}

TEST_CASE("Bad MQTT messages are refused with a reason and counted, and disturb nobody") {
  Messages world;
  const auto refused = [&](const std::string& topic, const std::string& payload) {
    const auto result = world.mqtt(topic, payload);
    REQUIRE_FALSE(result);
    return result.error().message;
  };
  CHECK(refused("node/check", "{}").find("there is no id") != std::string::npos);
  CHECK(refused("node/check", "").find("{\"id\":ID}") != std::string::npos);
  CHECK(refused("node/check", R"({"id":["a"]})").find("neither text nor a number") != std::string::npos);
  CHECK(refused("node/check", R"({"id":"a/b"})").find("'a/b'") != std::string::npos);
  CHECK(refused("node/check", R"({"id":"+"})").find("'+'") != std::string::npos);
  CHECK(refused("node/check", R"({"id":""})").find("1 to 64") != std::string::npos);
  CHECK(refused("node/n1", R"({"value":1})").find("node/ID/RESOURCE") != std::string::npos);
  CHECK(refused("node//led", R"({"value":1})").find("node id ''") != std::string::npos);
  CHECK(refused("node/n1/led", "1").find("{\"value\":VALUE}") != std::string::npos);
  CHECK(refused("node/n1/led", R"({"valu":1})").find("there is no value") != std::string::npos);
  CHECK(refused("node/n1/led", "{\"value\":\"\xff\"}").find("byte") != std::string::npos);
  CHECK(refused("node/n1/led", R"({"value":)" + std::string(40, '[') + std::string(40, ']') + "}")
            .find("{\"value\":VALUE}") != std::string::npos);
  CHECK(refused("node/n1/resources", R"({"led":1})").find("list of names") != std::string::npos);
  CHECK(world.policy.table().size() == 0);
  const auto& counters = world.policy.counters();
  CHECK(counters.dropped[static_cast<std::size_t>(Drop::bad_message)] == 9);
  CHECK(counters.dropped[static_cast<std::size_t>(Drop::bad_uid)] == 4);
}

TEST_CASE("A write is told to the node and confirmed by the value it reports, which is told once") {
  Messages world;
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"0"})"));
  world.happened();
  world.ask(Method::put, "led", "1");
  CHECK(world.happened() == Log{"tell n1 write led=1"});
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"0"})"));
  CHECK(world.effects.answers.empty());
  world.happened();
  REQUIRE(world.mqtt("node/n1/led", R"({"value":1})"));
  CHECK(world.happened() == Log{"update " + Messages::uid("n1") + " led=1"});
  CHECK(world.answered() == "echo:1");
  world.advance(10s);
  CHECK(world.effects.answers.empty());
}

TEST_CASE(
    "A write that is never reported is of unknown outcome, one without a way to the node was not sent") {
  Messages world;
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"0"})"));
  world.ask(Method::put, "led", "1", 2s);
  world.advance(1500ms);
  CHECK(world.effects.answers.empty());
  world.advance(1s);
  CHECK(world.answered() == "timeout unknown");
  world.effects.reachable = false;
  world.ask(Method::put, "led", "1");
  CHECK(world.answered() == "unreachable not_sent");
  world.effects.reachable = true;
  world.ask(Method::post, "led", "1");
  CHECK(world.answered() == "usage not_sent");
  world.ask(Method::put, "led", "1");
  world.policy.messages().tell_failed(world.effects.last_told, make_error(Errc::unreachable, "broker gone"));
  CHECK(world.answered() == "unreachable unknown");
  CHECK(world.policy.table().find(Messages::uid("n1"))->pending_writes == 0);
}

TEST_CASE("A live read asks the node for its values and takes the next one") {
  Messages world;
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"0"})"));
  world.happened();
  world.ask(Method::get, "led", "");
  CHECK(world.happened() == Log{"tell n1 values"});
  REQUIRE(world.mqtt("node/n1/other", R"({"value":"5"})"));
  CHECK(world.effects.answers.empty());
  REQUIRE(world.mqtt("node/n1/led", R"({"value":"0"})"));
  CHECK(world.answered() == ":0");
}

TEST_CASE(
    "An MQTT and an MQTT-SN node of one id are two, unless what comes by MQTT may be the other's echo") {
  Messages world;
  const auto say = [&](Protocol protocol, bool may_be_echo) {
    REQUIRE(take_node_message(world.policy, {protocol, {}, false, {}, may_be_echo}, "node/n1/led",
                              R"({"value":"1"})", world.now));
  };
  say(Protocol::mqttsn, false);
  world.happened();
  say(Protocol::mqtt, true);
  CHECK(world.happened().empty());
  CHECK(world.policy.table().live() == 1);
  say(Protocol::mqtt, false);
  CHECK(world.policy.table().live() == 2);
}

TEST_CASE("A WebSocket node that closes is out at once, and what waited for it fails") {
  Messages world;
  const NodeSource source{Protocol::websocket, "w1", false, *SocketAddress::parse("192.0.2.9:4000")};
  const auto ws_uid = make_uid("home", "WebSocket", "w1");
  REQUIRE(world.policy.messages().alive(source, world.now));
  world.policy.messages().set_lifetime(Protocol::websocket, "w1", 24h);
  CHECK(world.happened() == Log{"joined " + ws_uid + " 192.0.2.9", "tell w1 resources"});
  world.advance(300s);
  CHECK(world.policy.table().live() == 1);
  wire::Ask ask;
  ask.uid = ws_uid;
  ask.method = Method::put;
  ask.resource = "led";
  ask.payload = "1";
  ask.deadline = 5s;
  world.policy.ask(ask, world.now);
  world.happened();
  world.policy.messages().gone(Protocol::websocket, "w1", world.now);
  CHECK(world.answered() == "unreachable unknown");
  CHECK(world.happened() == Log{"out " + ws_uid});
  world.policy.messages().gone(Protocol::websocket, "w1", world.now);
  CHECK(world.happened().empty());
}

TEST_CASE("A CoAP alive cannot take an MQTT node's uid") {
  Messages world;
  REQUIRE(world.mqtt("node/check", R"({"id":"n1"})"));
  world.happened();
  const auto reply = world.alive("alive:" + Messages::uid("n1"), "192.0.2.1:40000");
  CHECK(reply.code == coap::code(4, 9));
  CHECK(world.happened().empty());
}

TEST_CASE("WebSocket messages are taken apart, with the uid at the top or first in the data") {
  auto message = parse_web_socket_message(R"({"type":"update","data":{"a":"x","b":1.50,"c":{"d":[1]}}})");
  REQUIRE(message);
  REQUIRE(message->values.size() == 3);
  CHECK(message->values[0].second.bytes == "x");
  CHECK(message->values[1].second.bytes == "1.50");
  CHECK(message->values[2].second.bytes == R"({"d":[1]})");
  CHECK(message->values[2].second.content_format == 50);
  CHECK(parse_web_socket_message(R"({"uid":"n1"})")->uid == "n1");
  CHECK(parse_web_socket_message(R"({"type":"update","data":{"uid":"n2","a":"x"}})")->uid == "n2");
  CHECK(parse_web_socket_message(R"({"uid":7,"type":"update","data":{}})")->uid == "7");
  CHECK(parse_web_socket_message(R"({"type":"new"})")->values.empty());
  for (const char* bad : {"", "[]", "{}", "x", R"({"type":"update"})", R"({"type":"update","data":[]})",
                          R"({"type":"other","data":{}})", R"({"data":{"a":1}})", R"({"uid":{}})"})
    CHECK_FALSE(parse_web_socket_message(bad));
  CHECK(web_socket_write("led", "a\"b") == R"({"endpoint":"led","payload":"a\"b"})");
}

}  // namespace
}  // namespace aiot::gateway
