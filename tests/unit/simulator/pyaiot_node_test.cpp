#include "daemon/simulator/pyaiot_node.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>
#include <set>

using namespace aiot;
using namespace aiot::simulator;
using Heard = PyaiotNode::Heard;
using nlohmann::json;

namespace {

Blueprint blueprint() {
  auto made = Blueprint::make({"name", "temperature", "led"}, false);
  REQUIRE(made);
  return *std::move(made);
}

}  // namespace

TEST_CASE("a node in topics says who it is, what it has, and answers as pyaiot's do") {
  const auto shared = blueprint();
  PyaiotNode node(shared, 4);
  CHECK(node.subscriptions() == std::vector<std::string>{"gateway/sim-4/discover", "gateway/sim-4/led/set"});
  CHECK(node.check().topic == "node/check");
  CHECK(node.check().payload == R"({"id":"sim-4"})");

  std::vector<PyaiotNode::Message> out;
  CHECK(node.receive("gateway/sim-4/discover", "resources", out) == Heard::request);
  REQUIRE(out.size() == 1);
  CHECK(out[0].topic == "node/sim-4/resources");
  CHECK(out[0].payload == R"(["name","temperature","led"])");

  out.clear();
  CHECK(node.receive("gateway/sim-4/discover", "values", out) == Heard::request);
  REQUIRE(out.size() == 3);
  CHECK(out[0].topic == "node/sim-4/name");
  CHECK(out[0].payload == R"({"value":"Simulated node 4"})");
  CHECK(out[1].topic == "node/sim-4/temperature");
  CHECK(out[2].payload == R"({"value":"0"})");

  out.clear();
  CHECK(node.receive("gateway/sim-4/led/set", "1", out) == Heard::write);
  REQUIRE(out.size() == 1);
  CHECK(out[0].topic == "node/sim-4/led");
  CHECK(out[0].payload == R"({"value":"1"})");

  std::set<std::string> payloads;
  for (int i = 0; i < 10; ++i) {
    const auto message = node.next();
    REQUIRE(message);
    CHECK(message->topic == "node/sim-4/temperature");
    payloads.insert(message->payload);
  }
  CHECK(payloads.size() > 1);
}

TEST_CASE("a node in topics does nothing about what is not for it") {
  const auto shared = blueprint();
  PyaiotNode node(shared, 4);
  std::vector<PyaiotNode::Message> out;
  for (const auto& [topic, payload] :
       std::vector<std::pair<std::string, std::string>>{{"gateway/check", ""},
                                                        {"gateway/sim-40/discover", "resources"},
                                                        {"gateway/sim-4/discover", "everything"},
                                                        {"gateway/sim-4/name/set", "other"},
                                                        {"gateway/sim-4/led/set", "2"},
                                                        {"gateway/sim-4/none/set", "1"},
                                                        {"gateway/sim-4/led/set/more", "1"},
                                                        {"node/sim-4/discover", "values"},
                                                        {"", ""}}) {
    CAPTURE(topic, payload);
    CHECK(node.receive(topic, payload, out) == Heard::nothing);
    CHECK(out.empty());
  }
}

TEST_CASE("a node in JSON tells all it has when asked, and takes writes") {
  const auto shared = blueprint();
  PyaiotNode node(shared, 0);
  std::string reply;
  CHECK(node.receive_json(R"({"request":"discover"})", reply) == Heard::request);
  auto said = json::parse(reply);
  CHECK(said["type"] == "update");
  CHECK(said["data"].size() == 3);
  CHECK(said["data"]["led"] == "0");
  CHECK(node.receive_json(R"({"endpoint":"led","payload":"1"})", reply) == Heard::write);
  CHECK(json::parse(reply) == json::parse(R"({"type":"update","data":{"led":"1"}})"));
  said = json::parse(node.next_json());
  CHECK(said["data"].size() == 1);
  CHECK(said["data"].contains("temperature"));

  for (const char* text : {"", "[]", "1", R"({"request":1})", R"({"endpoint":"led","payload":1})",
                           R"({"endpoint":"name","payload":"x"})", "{\"endpoint\":\"\xff\"}"}) {
    CAPTURE(text);
    reply.clear();
    CHECK(node.receive_json(text, reply) == Heard::nothing);
    CHECK(reply.empty());
  }
}

TEST_CASE("a node of constants tells those in turn") {
  auto shared = Blueprint::make({"os", "led"}, false);
  REQUIRE(shared);
  PyaiotNode node(*shared, 0);
  CHECK(node.next()->topic == "node/sim-0/os");
  CHECK(node.next()->topic == "node/sim-0/led");
  CHECK(node.next()->topic == "node/sim-0/os");
}
