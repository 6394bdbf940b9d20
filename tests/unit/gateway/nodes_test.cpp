#include <algorithm>
#include <catch2/catch.hpp>

#include "gateway/policy_fixture.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

TEST_CASE("A new node is announced, read and its values sent, in that order") {
  Played played;
  const auto reply = played.alive("alive:n1", "192.0.2.1:49152");
  CHECK(reply.code == coap::code(2, 4));
  CHECK(reply.payload == "Received 'alive:n1'");
  CHECK(played.answer("</.well-known/core>,</name>,</led>;if=act") == "192.0.2.1:5683/.well-known/core");
  CHECK(played.answer("sensor") == "192.0.2.1:5683/name");
  CHECK(played.answer("0") == "192.0.2.1:5683/led");
  CHECK(played.effects.requests.empty());
  CHECK(played.happened() == Log{"joined n1 192.0.2.1", "update n1 name=sensor", "update n1 led=0"});
}

TEST_CASE("A repeated alive reads nothing, and tells no more than that the node still speaks") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  for (int i = 0; i < 3; ++i) {
    played.advance(10s);
    CHECK(played.alive("alive:n1", "192.0.2.1:5683").payload == "Received 'alive:n1'");
  }
  CHECK(played.happened() == Log{"joined n1 192.0.2.1"});
  CHECK(played.effects.requests.empty());
}

TEST_CASE("The uid is what follows the last colon, whatever the word") {
  Played played;
  played.alive("Alive: at home:n-1", "192.0.2.1:1");
  CHECK(played.happened() == Log{"joined n-1 192.0.2.1"});
}

TEST_CASE("A reset of a known node says so and reads it again") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  CHECK(played.alive("reset:n1", "192.0.2.1:5683").payload == "Received 'reset:n1'");
  CHECK(played.answer("</led>") == "192.0.2.1:5683/.well-known/core");
  played.answer("1");
  CHECK(played.happened() == Log{"reset n1 192.0.2.1", "update n1 led=1"});
}

TEST_CASE("A reset of an unknown node is its joining") {
  Played played;
  played.alive("reset:n1", "192.0.2.1:5683");
  CHECK(played.happened() == Log{"joined n1 192.0.2.1"});
}

TEST_CASE("A reset during discovery starts it over, and the old answers count for nothing") {
  Played played;
  played.alive("alive:n1", "192.0.2.1:5683");
  const auto old = played.take();
  played.alive("reset:n1", "192.0.2.1:5683");
  played.policy.responded(old.ticket, Played::content("</old>"), played.now);
  REQUIRE(played.effects.requests.size() == 1);
  played.answer("</led>");
  CHECK(played.answer("1") == "192.0.2.1:5683/led");
}

TEST_CASE("A post is an update, split at the first colon") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  CHECK(played.post("imu:{\"a\":[1,2]}", "192.0.2.1:5683").payload == "Received 'imu:{\"a\":[1,2]}'");
  CHECK(played
            .post("temperature:23\xC2\xB0"
                  "C",
                  "192.0.2.1:5683")
            .code == coap::code(2, 4));
  CHECK(played.happened() == Log{"update n1 imu={\"a\":[1,2]}",
                                 "update n1 temperature=23\xC2\xB0"
                                 "C"});
}

TEST_CASE("An empty value is a value") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  CHECK(played.post("note:", "192.0.2.1:5683").code == coap::code(2, 4));
  CHECK(played.happened() == Log{"update n1 note="});
}

TEST_CASE("A post without a colon is 4.00, one from an unknown address 4.04 with what to do") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  CHECK(played.post("temperature", "192.0.2.1:5683").code == coap::code(4, 0));
  const auto reply = played.post("temperature:1", "192.0.2.2:5683");
  CHECK(reply.code == coap::code(4, 4));
  CHECK(reply.payload.find("POST WORD:UID to /alive") != std::string::npos);
  CHECK(played.happened().empty());
  CHECK(played.policy.counters().dropped[static_cast<std::size_t>(Drop::no_colon)] == 1);
  CHECK(played.policy.counters().dropped[static_cast<std::size_t>(Drop::unknown_address)] == 1);
}

TEST_CASE(
    "Names and values that are too long, not UTF-8 or hold control characters are refused and counted") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  const std::string at = "192.0.2.1:5683";
  CHECK(played.post(":1", at).code == coap::code(4, 0));
  CHECK(played.post(std::string(257, 'r') + ":1", at).code == coap::code(4, 0));
  CHECK(played.post("a\x01:1", at).code == coap::code(4, 0));
  CHECK(played.post("a\xFF:1", at).code == coap::code(4, 0));
  CHECK(played.post("a:\xC3\x28", at).code == coap::code(4, 0));
  CHECK(played.post(std::string("a:x\0y", 5), at).code == coap::code(4, 0));
  CHECK(played.post("a:\x1B[2J", at).code == coap::code(4, 0));
  CHECK(played.post("a:" + std::string(kMaxValue + 1, 'v'), at).code == coap::code(4, 13));
  CHECK(played.happened().empty());
  const auto& dropped = played.policy.counters().dropped;
  CHECK(dropped[static_cast<std::size_t>(Drop::bad_name)] == 4);
  CHECK(dropped[static_cast<std::size_t>(Drop::bad_value)] == 3);
  CHECK(dropped[static_cast<std::size_t>(Drop::too_long)] == 1);
  CHECK(played.post("a:" + std::string(kMaxValue, 'v'), at).code == coap::code(2, 4));
  CHECK(played.post(std::string(256, 'r') + ":{\n\t\"a\": 1\r\n}", at).code == coap::code(2, 4));
}

TEST_CASE("A node has a bounded number of resources") {
  Played played;
  played.joined("n1", "192.0.2.1:5683", "");
  for (std::size_t i = 0; i < kMaxNodeResources; ++i)
    REQUIRE(played.post("r" + std::to_string(i) + ":1", "192.0.2.1:5683").code == coap::code(2, 4));
  CHECK(played.post("more:1", "192.0.2.1:5683").code == coap::code(4, 0));
  CHECK(played.post("r7:2", "192.0.2.1:5683").code == coap::code(2, 4));
}

TEST_CASE("An alive without a usable uid is a sign of life of the address's only node, else 4.00") {
  Played played({.max_time = 100s});
  const std::string at = "192.0.2.1:5683";
  CHECK(played.alive("alive", at).code == coap::code(4, 0));
  CHECK(played.alive("alive:", at).code == coap::code(4, 0));
  CHECK(played.alive("alive:a\nb", at).code == coap::code(4, 0));
  CHECK(played.alive("alive:\xFF\xFE", at).code == coap::code(4, 0));
  CHECK(played.alive("alive:" + std::string(65, 'u'), at).code == coap::code(4, 0));
  CHECK(played
            .alive("alive:\xE2\x80\xAE"
                   "abc",
                   at)
            .code == coap::code(4, 0));
  CHECK(played.happened().empty());
  CHECK(played.policy.counters().dropped[static_cast<std::size_t>(Drop::bad_uid)] == 6);

  played.joined("n1", at);
  played.advance(80s);
  CHECK(played.alive(std::string("alive:\0\x7F", 8), at).code == coap::code(2, 4));
  played.advance(80s);
  CHECK(played.policy.table().find("n1")->live);
  played.happened();
  CHECK(played.alive("reset", at).code == coap::code(2, 4));
  CHECK(played.happened() == Log{"reset n1 192.0.2.1"});

  played.joined("n2", at);
  CHECK(played.alive("alive", at).code == coap::code(4, 0));
}

TEST_CASE("An alive without a usable uid is of the only live node, whatever else has been there") {
  Played played({.max_time = 100s});
  const std::string at = "192.0.2.1:5683";
  played.joined("old", at);
  played.advance(60s);
  played.joined("n1", at);
  played.advance(60s);
  CHECK(played.happened() == Log{"out old"});
  CHECK(played.alive("alive", at).code == coap::code(2, 4));
  played.advance(60s);
  CHECK(played.policy.table().find("n1")->live);
  CHECK_FALSE(played.policy.table().find("old")->live);
  played.advance(60s);
  CHECK(played.happened() == Log{"joined n1 192.0.2.1", "out n1"});
  CHECK(played.alive("alive", at).code == coap::code(4, 0));
}

TEST_CASE("64 characters of any script are a uid") {
  Played played;
  std::string uid;
  for (int i = 0; i < 64; ++i) uid += "\xC3\xA9";
  CHECK(played.alive("alive:" + uid, "192.0.2.1:5683").code == coap::code(2, 4));
  CHECK(played.happened() == Log{"joined " + uid + " 192.0.2.1"});
}

TEST_CASE("A silent node goes out, and any message brings it back") {
  Played played({.max_time = 120s});
  played.joined("n1", "192.0.2.1:5683");
  played.advance(119s);
  CHECK(played.happened().empty());
  played.advance(2s);
  CHECK(played.happened() == Log{"out n1"});
  SECTION("an alive") { played.alive("alive:n1", "192.0.2.1:5683"); }
  SECTION("a post, whose value counts") {
    played.post("temperature:1", "192.0.2.1:5683");
    CHECK(played.effects.log.back() == "update n1 temperature=1");
    played.effects.log.pop_back();
  }
  SECTION("even one that is refused") { played.post("nonsense", "192.0.2.1:5683"); }
  CHECK(played.happened() == Log{"joined n1 192.0.2.1"});
  CHECK(played.answer("</led>") == "192.0.2.1:5683/.well-known/core");
}

TEST_CASE("Every kind of message keeps a node alive") {
  Played played({.max_time = 60s});
  played.joined("n1", "192.0.2.1:5683");
  for (int i = 0; i < 5; ++i) {
    played.advance(50s);
    i % 2 == 0 ? played.post("a:1", "192.0.2.1:4000") : played.post("broken", "192.0.2.1:4001");
  }
  CHECK(played.policy.table().find("n1")->live);
}

TEST_CASE("Lifetimes follow the first pattern that fits the uid") {
  Played played({.max_time = 60s, .max_time_for = {{"slow-*", 600s}, {"*-1", 10s}}});
  played.joined("slow-1", "192.0.2.1:5683");
  played.joined("fast-1", "192.0.2.2:5683");
  played.joined("other", "192.0.2.3:5683");
  played.advance(11s);
  CHECK(played.happened() == Log{"out fast-1"});
  played.advance(50s);
  CHECK(played.happened() == Log{"out other"});
  played.advance(500s);
  CHECK(played.happened().empty());
  played.advance(100s);
  CHECK(played.happened() == Log{"out slow-1"});
}

TEST_CASE("Two uids at one address live, post and expire each for itself") {
  Played played({.max_time = 100s});
  played.joined("a", "192.0.2.1:1001");
  played.joined("b", "192.0.2.1:1002");
  played.post("x:1", "192.0.2.1:1001");
  played.post("x:2", "192.0.2.1:1002");
  CHECK(played.happened() == Log{"update a x=1", "update b x=2"});
  // From a port that no alive came from, it is the one that last said alive.
  played.post("x:3", "192.0.2.1:1003");
  CHECK(played.happened() == Log{"update b x=3"});
  played.alive("alive:a", "192.0.2.1:1001");
  played.post("x:4", "192.0.2.1:1003");
  CHECK(played.happened() == Log{"update a x=4"});
  // A port changes hands with the last alive from it.
  played.alive("alive:b", "192.0.2.1:1001");
  played.post("x:5", "192.0.2.1:1001");
  CHECK(played.happened() == Log{"update b x=5"});

  played.advance(60s);
  played.post("x:6", "192.0.2.1:1001");
  played.happened();
  played.advance(60s);
  CHECK(played.happened() == Log{"out a"});
  CHECK(played.policy.table().find("b")->live);
  played.advance(60s);
  CHECK(played.happened() == Log{"out b"});
  played.joined("c", "192.0.2.9:1");
  played.advance(101s);
  CHECK(played.happened() == Log{"out c"});
}

TEST_CASE("Changing source ports cost a bounded number of entries") {
  Played played;
  played.joined("a", "192.0.2.1:1");
  for (int port = 2; port < 2000; ++port) played.alive("alive:a", "192.0.2.1:" + std::to_string(port));
  played.joined("b", "192.0.2.1:5000");
  // The latest ports of a are still its own, the oldest have been forgotten.
  played.post("x:1", "192.0.2.1:1999");
  played.post("x:2", "192.0.2.1:1");
  CHECK(played.happened() == Log{"update a x=1", "update b x=2"});
}

TEST_CASE("IPv6 scopes are part of a node's place") {
  Played played;
  played.alive("alive:n1", "[fe80::1%1]:5683");
  const auto request = played.take();
  CHECK(request.to == *SocketAddress::parse("[fe80::1%1]:5683"));
  CHECK(played.post("a:1", "[fe80::1%2]:5683").code == coap::code(4, 4));
  CHECK(played.post("a:1", "[fe80::1%1]:5683").code == coap::code(2, 4));
}

TEST_CASE("The table is bounded, and out nodes make room first") {
  PolicyOptions options;
  options.max_time = 10s;
  options.limits = {.nodes = 3, .out = 2};
  Played played(options);
  played.joined("a", "192.0.2.1:1");
  played.joined("b", "192.0.2.2:1");
  played.joined("c", "192.0.2.3:1");
  const auto reply = played.alive("alive:d", "192.0.2.4:1");
  CHECK(reply.code == coap::code(5, 3));
  CHECK(played.policy.counters().dropped[static_cast<std::size_t>(Drop::table_full)] == 1);
  played.advance(11s);
  CHECK(played.policy.table().size() == 2);  // one of the three that are out is forgotten
  played.joined("d", "192.0.2.4:1");
  played.joined("e", "192.0.2.5:1");
  CHECK(played.policy.table().live() == 2);
  CHECK(played.policy.table().size() == 3);
}

TEST_CASE("The memory for values is bounded, and nodes that go out give theirs back") {
  PolicyOptions options;
  options.max_time = 60s;
  options.value_bytes = 1000;
  Played played(options);
  played.joined("a", "192.0.2.1:1", "");
  played.joined("b", "192.0.2.2:1", "");
  CHECK(played.post("x:" + std::string(900, 'x'), "192.0.2.1:1").code == coap::code(2, 4));
  CHECK(played.post("x:" + std::string(101, 'x'), "192.0.2.2:1").code == coap::code(5, 3));
  CHECK(played.post("x:" + std::string(100, 'x'), "192.0.2.2:1").code == coap::code(2, 4));
  CHECK(played.post("x:" + std::string(901, 'x'), "192.0.2.1:1").code == coap::code(5, 3));
  CHECK(played.post("x:1", "192.0.2.1:1").code == coap::code(2, 4));
  CHECK(played.post("y:" + std::string(800, 'x'), "192.0.2.2:1").code == coap::code(2, 4));
  played.advance(61s);
  played.joined("c", "192.0.2.3:1", "");
  CHECK(played.post("x:" + std::string(1000, 'x'), "192.0.2.3:1").code == coap::code(2, 4));
  CHECK(played.policy.enroll({"ep=d"}, "</t>", Played::peer("192.0.2.4:1"), played.now).code ==
        coap::code(5, 3));
}

TEST_CASE("10,000 nodes join, post and go out") {
  Played played({.max_time = 60s});
  for (int i = 0; i < 10'000; ++i) {
    const auto from = "10.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":5683";
    played.alive("alive:sim-" + std::to_string(i), from);
    REQUIRE(played.post("temperature:20", from).code == coap::code(2, 4));
  }
  CHECK(played.effects.requests.size() == 256);
  CHECK(played.policy.counters().nodes_live == 10'000);
  while (!played.effects.requests.empty()) played.answer("</a>");
  CHECK(played.policy.counters().discoveries == 10'000);
  played.advance(65s);
  CHECK(played.policy.counters().nodes_live == 0);
}

TEST_CASE("A node that only says alive is told to the broker every 20 s, one that posts is not") {
  Played played;
  const std::string at = "192.0.2.1:5683";
  played.joined("n1", at);
  for (int i = 0; i < 6; ++i) {
    played.advance(10s);
    played.alive("alive:n1", at);
  }
  CHECK(played.happened() == Log{"joined n1 192.0.2.1", "joined n1 192.0.2.1", "joined n1 192.0.2.1"});
  for (int i = 0; i < 6; ++i) {
    played.advance(10s);
    played.post("led:0", at);
    played.alive("alive:n1", at);
  }
  const auto happened = played.happened();
  CHECK(std::count(happened.begin(), happened.end(), "joined n1 192.0.2.1") == 0);
}

TEST_CASE("By trust on first use a uid stays with the address that used it first, whatever it says") {
  PolicyOptions options;
  options.max_time = 10s;
  options.trust_first_use = true;
  Played played(options);
  played.joined("n1", "192.0.2.1:5683");
  played.happened();
  for (const auto* word : {"alive:n1", "reset:n1"}) {
    CHECK(played.alive(word, "192.0.2.9:5683").code == coap::code(4, 3));
  }
  const auto told = [&] {
    std::size_t conflicts = 0;
    for (const auto& line : played.happened()) conflicts += line.find("uid_conflict") != std::string::npos;
    return conflicts;
  };
  CHECK(told() == 1);  // not with every message
  CHECK(played.post("led:1", "192.0.2.9:5683").code == coap::code(4, 4));
  CHECK(played.policy.enroll({"ep=n1"}, "</a>", Played::peer("192.0.2.9:5683"), played.now).code ==
        coap::code(4, 3));
  CHECK(played.policy
            .enroll({"ep=n1", "base=coap://192.0.2.1"}, "</a>", Played::peer("192.0.2.9:5683"), played.now)
            .code == coap::code(4, 3));
  CHECK(played.post("led:1", "192.0.2.1:1234").code == coap::code(2, 4));
  // Silent and out, it is still nobody else's.
  played.advance(30s);
  CHECK(played.policy.table().live() == 0);
  CHECK(played.alive("alive:n1", "192.0.2.9:5683").code == coap::code(4, 3));
  CHECK(told() == 1);
  CHECK(played.alive("alive:n1", "192.0.2.1:5683").code == coap::code(2, 4));
  CHECK(played.policy.counters().uid_conflicts == 2);
}

TEST_CASE("By trust on first use an address outlives the gateway, unless it is released") {
  for (const bool released : {false, true}) {
    PolicyOptions options;
    options.trust_first_use = true;
    if (released) options.release = {"door-*"};
    Played played(options);
    SavedNode saved;
    saved.uid = "door-1";
    saved.address = *SocketAddress::parse("192.0.2.1:5683");
    saved.last_seen = played.now.wall;
    played.policy.restore(saved, played.now);
    CHECK((played.alive("alive:door-1", "192.0.2.9:5683").code == coap::code(2, 4)) == released);
  }
}
