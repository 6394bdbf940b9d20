#include <catch2/catch.hpp>

#include "daemon/gateway/message_nodes.h"
#include "daemon/gateway/node_message.h"
#include "gateway/policy_fixture.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {

PolicyOptions limited() {
  PolicyOptions options;
  options.site = "home";
  options.node_rate = {10, 3};
  return options;
}

std::uint64_t too_fast(Played& played) {
  return played.policy.counters().dropped[static_cast<std::size_t>(Drop::too_fast)];
}

}  // namespace

TEST_CASE("A CoAP node above its rate is told when to come back, and others are not touched") {
  Played played(limited());
  played.joined("n1", "192.0.2.1:5683");
  played.joined("n2", "192.0.2.2:5683");
  for (int i = 0; i < 3; ++i)
    CHECK(played.post("temperature:" + std::to_string(i), "192.0.2.1:5683").code == coap::code(2, 4));
  const auto reply = played.post("temperature:4", "192.0.2.1:5683");
  CHECK(reply.code == coap::code(4, 29));
  CHECK(reply.max_age == 1U);
  CHECK(too_fast(played) == 1);
  CHECK(played.policy.table().find("n1")->find("temperature")->bytes == "2");
  CHECK(played.post("temperature:1", "192.0.2.2:5683").code == coap::code(2, 4));
  // It has spoken all the same.
  CHECK(played.policy.table().find("n1")->last_seen == played.now.mono);
  played.now.mono += 100ms;
  CHECK(played.post("temperature:5", "192.0.2.1:5683").code == coap::code(2, 4));
}

TEST_CASE("A message that is wrong does not count against the node's rate") {
  Played played(limited());
  played.joined("n1", "192.0.2.1:5683");
  for (int i = 0; i < 20; ++i) CHECK(played.post("no colon", "192.0.2.1:5683").code == coap::code(4, 0));
  CHECK(played.post("temperature:1", "192.0.2.1:5683").code == coap::code(2, 4));
}

TEST_CASE("Values of a message node above its rate are dropped and counted") {
  Played played(limited());
  const auto say = [&](const std::string& topic, const std::string& payload) {
    return take_node_message(played.policy, {Protocol::mqtt, {}, false, {}}, topic, payload, played.now);
  };
  REQUIRE(say("node/check", R"({"id":"n1"})"));
  for (int i = 0; i < 3; ++i) REQUIRE(say("node/n1/led", R"({"value":"1"})"));
  const auto refused = say("node/n1/led", R"({"value":"0"})");
  REQUIRE_FALSE(refused);
  CHECK(refused.error().message == "node 'n1' sends more than 10 updates a second");
  CHECK(too_fast(played) == 1);
  REQUIRE(say("node/check", R"({"id":"n1"})"));
  played.now.mono += 100ms;
  CHECK(say("node/n1/led", R"({"value":"0"})"));
}

TEST_CASE("Without a rate a node may send as much as it likes") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  for (int i = 0; i < 5000; ++i)
    REQUIRE(played.post("temperature:" + std::to_string(i), "192.0.2.1:5683").code == coap::code(2, 4));
  CHECK(too_fast(played) == 0);
}
