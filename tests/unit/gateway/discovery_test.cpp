#include <catch2/catch.hpp>

#include "gateway/policy_fixture.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {
Played& discovering(Played& played) {
  played.alive("alive:n1", "192.0.2.1:5683");
  played.happened();
  return played;
}
}  // namespace

TEST_CASE("Link-format with commas and semicolons in quotes is not split there") {
  Played played;
  discovering(played).answer("</a>;title=\"one, two; three\",</b>");
  CHECK(played.answer("1") == "192.0.2.1:5683/a");
  CHECK(played.answer("2") == "192.0.2.1:5683/b");
  CHECK(played.effects.requests.empty());
}

TEST_CASE("Links to other hosts, repeated links and names that are not text are left out") {
  Played played;
  discovering(played).answer(
      "</a>,</a>,<coap://other/x>,<//other/y>,</z>;anchor=\"/a\",</b%00c>,</>,</d%20e>,<f>");
  CHECK(played.answer("1") == "192.0.2.1:5683/a");
  CHECK(played.answer("1") == "192.0.2.1:5683/d e");
  CHECK(played.answer("1") == "192.0.2.1:5683/f");
  CHECK(played.effects.requests.empty());
  CHECK(played.policy.counters().dropped[static_cast<std::size_t>(Drop::bad_answer)] == 4);
}

TEST_CASE("A node's error is no value, and the other resources are read all the same") {
  Played played;
  discovering(played).answer("</a>,</b>,</c>");
  played.fail(Errc::peer_failed, 500);
  played.fail(Errc::rejected, 404);
  played.answer("3");
  CHECK(played.happened() == Log{"update n1 c=3"});
  CHECK(played.policy.counters().discoveries == 1);
}

TEST_CASE("A node that cannot be discovered stays known with what it posts, and is tried again later") {
  Played played;
  discovering(played);
  SECTION("4.04") { played.fail(Errc::rejected, 404); }
  SECTION("silence") { played.fail(Errc::timeout); }
  SECTION("a closed port") { played.fail(Errc::unreachable); }
  SECTION("garbage") { played.answer("<<<not link-format"); }
  SECTION("bytes") { played.answer(std::string("\x00\xFF\x01", 3)); }
  CHECK(played.happened().empty());
  CHECK(played.policy.counters().discoveries_failed == 1);
  CHECK(played.post("a:1", "192.0.2.1:5683").code == coap::code(2, 4));
  CHECK(played.happened() == Log{"update n1 a=1"});
  CHECK(played.effects.requests.empty());
  played.advance(31s);
  CHECK(played.effects.requests.empty());  // only a sign of life brings the next attempt
  played.alive("alive:n1", "192.0.2.1:5683");
  REQUIRE(played.effects.requests.size() == 1);
  played.fail(Errc::timeout);
  played.advance(31s);  // the wait has doubled
  played.alive("alive:n1", "192.0.2.1:5683");
  CHECK(played.effects.requests.empty());
  played.advance(31s);
  played.alive("alive:n1", "192.0.2.1:5683");
  REQUIRE(played.effects.requests.size() == 1);
  played.happened();
  played.answer("</led>");
  played.answer("1");
  CHECK(played.happened() == Log{"update n1 led=1"});
}

TEST_CASE("A node that falls silent is not asked for all the rest") {
  Played played;
  discovering(played).answer("</a>,</b>,</c>,</d>");
  played.answer("1");
  played.fail(Errc::timeout);
  played.fail(Errc::timeout);
  CHECK(played.effects.requests.empty());
  CHECK(played.policy.counters().discoveries_failed == 1);
}

TEST_CASE("Behind a NAT the node is read through the port it spoke from") {
  Played played;
  played.alive("alive:n1", "192.0.2.1:40000");
  CHECK(played.fail(Errc::timeout) == "192.0.2.1:5683/.well-known/core");
  CHECK(played.effects.requests.front().from.text() == "127.0.0.1:5683");
  CHECK(played.answer("</led>") == "192.0.2.1:40000/.well-known/core");
  CHECK(played.answer("1") == "192.0.2.1:40000/led");
}

TEST_CASE("Values above the bound are left out") {
  Played played;
  discovering(played).answer("</a>,</b>");
  played.answer(std::string(kMaxValue + 1, 'x'));
  played.answer("2");
  CHECK(played.happened() == Log{"update n1 b=2"});
}

TEST_CASE("Observable resources are observed, with their content format") {
  Played played;
  discovering(played).answer("</a>;obs,</b>");
  REQUIRE(played.effects.observations.size() == 1);
  CHECK(played.effects.requests.empty());  // one request at a time to a node
  const auto ticket = played.effects.observations[0].ticket;
  CHECK(played.effects.observations[0].resource == "a");
  played.policy.notified(ticket, Played::content("{\"v\":1}", 50), played.now);
  CHECK(played.answer("2") == "192.0.2.1:5683/b");
  CHECK(played.happened() == Log{"update n1 a={\"v\":1}", "update n1 b=2"});
  CHECK(played.policy.table().find("n1")->find("a")->content_format == 50);

  SECTION("a notification is an update and a sign of life") {
    for (int i = 0; i < 3; ++i) {
      played.advance(100s);
      played.policy.notified(ticket, Played::content("x", 50), played.now);
    }
    CHECK(played.happened() == Log{"update n1 a=x", "update n1 a=x", "update n1 a=x"});
  }
  SECTION("it ends with the node's life") {
    played.advance(121s);
    CHECK(played.effects.observations.empty());
    played.policy.notified(ticket, Played::content("late"), played.now);
    CHECK(played.happened() == Log{"out n1"});
  }
  SECTION("when it ends, the node is read again") {
    played.effects.observations.clear();
    played.policy.responded(ticket, make_error(Errc::rejected, "gone", 404), played.now);
    played.advance(31s);
    played.alive("alive:n1", "192.0.2.1:5683");
    CHECK(played.answer("</a>;obs") == "192.0.2.1:5683/.well-known/core");
    CHECK(played.effects.observations.size() == 1);
  }
  SECTION("a reset starts it over") {
    played.alive("reset:n1", "192.0.2.1:5683");
    CHECK(played.effects.observations.empty());
    played.answer("</a>;obs");
    CHECK(played.effects.observations.size() == 1);
  }
}

TEST_CASE("A resource that says obs and refuses to be observed is read once") {
  Played played;
  discovering(played).answer("</a>;obs,</b>");
  const auto ticket = played.effects.observations.at(0).ticket;
  played.policy.responded(ticket, make_error(Errc::rejected, "not observable"), played.now);
  CHECK(played.answer("1") == "192.0.2.1:5683/a");
  CHECK(played.answer("2") == "192.0.2.1:5683/b");
  CHECK(played.happened() == Log{"update n1 a=1", "update n1 b=2"});
}

TEST_CASE("At most 256 nodes are read at once, and silent ones give their place to others") {
  Played played;
  for (int i = 0; i < 600; ++i)
    played.alive("alive:n" + std::to_string(i),
                 "10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1) + ":5683");
  CHECK(played.effects.requests.size() == 256);
  played.answer("");
  CHECK(played.effects.requests.size() == 256);
  played.advance(3s);  // 256 silent ones no longer hold up the rest
  CHECK(played.effects.requests.size() == 512);
  played.advance(3s);
  CHECK(played.effects.requests.size() == 599);
  while (!played.effects.requests.empty()) played.fail(Errc::timeout);
  CHECK(played.policy.counters().discoveries_failed == 599);
  CHECK(played.policy.counters().nodes_live == 600);
}

TEST_CASE("Resets of a waiting node do not make the queue longer") {
  Played played;
  for (int i = 0; i < 257; ++i)
    played.alive("alive:n" + std::to_string(i),
                 "10.0." + std::to_string(i / 200) + "." + std::to_string(i % 200 + 1) + ":5683");
  for (int i = 0; i < 1000; ++i) played.alive("reset:n256", "10.0.1.57:5683");
  int asked = 0;
  while (!played.effects.requests.empty())
    if (played.answer("") == "10.0.1.57:5683/.well-known/core") ++asked;
  CHECK(asked == 1);
}

TEST_CASE("A named node joins when it answers, is read again and again, and comes back after silence") {
  Played played({.site = "home", .max_time = 60s});
  const auto address = *SocketAddress::parse("192.0.2.7:5683");
  played.policy.name("weather:5683", address, played.now);
  played.advance(500ms);
  CHECK(played.happened().empty());
  CHECK(played.answer("</t>;obs,</p>") == "192.0.2.7:5683/.well-known/core");
  const auto log = played.happened();
  REQUIRE(log.size() == 1);
  const auto uid = log[0].substr(7, 36);
  CHECK(log[0] == "joined " + uid + " 192.0.2.7");
  CHECK(uid[14] == '5');  // a UUID of version 5
  played.policy.notified(played.effects.observations.at(0).ticket, Played::content("20"), played.now);
  played.answer("1000");
  CHECK(played.happened() == Log{"update " + uid + " t=20", "update " + uid + " p=1000"});

  played.advance(21s);  // a third of the time after which it would be out
  CHECK(played.answer("1001") == "192.0.2.7:5683/p");
  CHECK(played.happened() == Log{"update " + uid + " p=1001"});

  for (int i = 0; i < 80; ++i) {
    played.advance(1s);
    if (!played.effects.requests.empty()) played.fail(Errc::timeout);
  }
  CHECK(played.happened() == Log{"out " + uid});
  played.advance(60s);
  REQUIRE_FALSE(played.effects.requests.empty());
  CHECK(played.answer("</p>") == "192.0.2.7:5683/.well-known/core");
  CHECK(played.happened() == Log{"joined " + uid + " 192.0.2.7"});
}

TEST_CASE("A named node keeps its uid, which differs by site and by name") {
  std::vector<std::string> uids;
  for (const auto* site : {"home", "work"})
    for (const auto* id : {"a:5683", "b:5683"}) {
      Played played({.site = site});
      played.policy.name(id, *SocketAddress::parse("192.0.2.7:5683"), played.now);
      uids.push_back(played.policy.table().uids(false).at(0));
    }
  std::sort(uids.begin(), uids.end());
  CHECK(std::unique(uids.begin(), uids.end()) == uids.end());
  Played again({.site = "home"});
  again.policy.name("a:5683", *SocketAddress::parse("192.0.2.8:5683"), again.now);
  CHECK(std::count(uids.begin(), uids.end(), again.policy.table().uids(false).at(0)) == 1);
}
