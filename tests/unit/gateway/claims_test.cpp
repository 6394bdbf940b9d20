#include <algorithm>
#include <catch2/catch.hpp>

#include "gateway/policy_fixture.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

TEST_CASE("A known uid at a new address has the old one probed for two seconds") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  CHECK(played.alive("alive:n1", "192.0.2.2:5683").code == coap::code(2, 4));
  REQUIRE(played.effects.requests.size() == 1);
  CHECK(played.effects.requests[0].timeout == 2s);
  CHECK(played.effects.requests[0].to.text() == "192.0.2.1:5683");

  SECTION("while it lasts, the newcomer's posts are put off and its alives change nothing") {
    CHECK(played.post("a:1", "192.0.2.2:5683").code == coap::code(5, 3));
    played.alive("alive:n1", "192.0.2.2:5683");
    CHECK(played.effects.requests.size() == 1);
  }
  SECTION("an answer refuses the newcomer, with an event") {
    played.answer("</led>");
    CHECK(played.happened() == Log{"notice uid_conflict n1"});
    CHECK(played.policy.counters().uid_conflicts == 1);
    CHECK(played.post("a:1", "192.0.2.2:5683").code == coap::code(4, 4));
    CHECK(played.post("a:1", "192.0.2.1:5683").code == coap::code(2, 4));
    // Its next alive is refused at once, and probed again only later.
    const auto again = played.alive("alive:n1", "192.0.2.2:5683");
    CHECK(again.code == coap::code(4, 9));
    CHECK(again.payload.find("192.0.2.1") != std::string::npos);
    CHECK(played.effects.requests.empty());
    played.advance(11s);
    CHECK(played.alive("alive:n1", "192.0.2.2:5683").code == coap::code(2, 4));
    CHECK(played.effects.requests.size() == 1);
  }
  SECTION("an error of the node is an answer too") {
    played.fail(Errc::rejected, 404);
    CHECK(played.happened() == Log{"notice uid_conflict n1"});
  }
  SECTION("a post or an alive from the old address settles it as well") {
    SECTION("a post") { CHECK(played.post("a:1", "192.0.2.1:5683").code == coap::code(2, 4)); }
    SECTION("an alive") { CHECK(played.alive("alive:n1", "192.0.2.1:5683").code == coap::code(2, 4)); }
    SECTION("a post that is refused") { played.post("nonsense", "192.0.2.1:5683"); }
    const auto log = played.happened();
    CHECK(std::count(log.begin(), log.end(), "notice uid_conflict n1") == 1);
    CHECK(played.effects.requests.empty());
    CHECK(played.policy.counters().uid_conflicts == 1);
    CHECK(played.alive("alive:n1", "192.0.2.2:5683").code == coap::code(4, 9));
    CHECK(played.policy.table().find("n1")->address.host() == "192.0.2.1");
  }
  SECTION("silence moves the node") {
    played.fail(Errc::timeout);
    CHECK(played.happened() == Log{"joined n1 192.0.2.2"});
    CHECK(played.answer("</led>") == "192.0.2.2:5683/.well-known/core");
    CHECK(played.post("a:1", "192.0.2.1:5683").code == coap::code(4, 4));
    CHECK(played.post("a:1", "192.0.2.2:5683").code == coap::code(2, 4));
  }
  SECTION("a closed port is silence") {
    played.fail(Errc::unreachable);
    CHECK(played.happened() == Log{"joined n1 192.0.2.2"});
  }
  SECTION("a reset moves it at once, and the probe is off") {
    played.alive("reset:n1", "192.0.2.2:5683");
    CHECK(played.happened() == Log{"reset n1 192.0.2.2"});
    REQUIRE(played.effects.requests.size() == 1);
    CHECK(played.effects.requests[0].to.text() == "192.0.2.2:5683");
  }
  SECTION("its old node going out frees the name") {
    const auto probe = played.take();
    played.advance(121s);
    CHECK(played.happened() == Log{"out n1"});
    played.policy.responded(probe.ticket, Played::content(""), played.now);
    played.alive("alive:n1", "192.0.2.2:5683");
    CHECK(played.happened() == Log{"joined n1 192.0.2.2"});
  }
}

TEST_CASE("Behind a NAT the old address is also probed at the port it last spoke from") {
  Played played;
  played.joined("n1", "192.0.2.1:40000");
  played.alive("alive:n1", "192.0.2.2:5683");
  REQUIRE(played.effects.requests.size() == 2);
  CHECK(played.effects.requests[1].to.text() == "192.0.2.1:40000");
  CHECK(played.effects.requests[1].from.text() == "127.0.0.1:5683");
  SECTION("one silence is not enough") {
    played.fail(Errc::timeout);
    CHECK(played.happened().empty());
    played.answer("");
    CHECK(played.happened() == Log{"notice uid_conflict n1"});
  }
  SECTION("one answer is") {
    played.answer("");
    CHECK(played.happened() == Log{"notice uid_conflict n1"});
    CHECK(played.effects.requests.empty());
  }
  SECTION("both silent move it") {
    played.fail(Errc::timeout);
    played.fail(Errc::timeout);
    CHECK(played.happened() == Log{"joined n1 192.0.2.2"});
  }
}

TEST_CASE("A node that is out moves without a probe") {
  Played played({.max_time = 10s});
  played.joined("n1", "192.0.2.1:5683");
  played.advance(11s);
  played.happened();
  played.alive("alive:n1", "192.0.2.2:5683");
  CHECK(played.happened() == Log{"joined n1 192.0.2.2"});
  CHECK(played.post("a:1", "192.0.2.1:5683").code == coap::code(4, 4));
}

TEST_CASE("A node on the gateway's own host is probed, read and written where it speaks from") {
  Played played;
  SECTION("bound to that address") { played.policy.listening({*SocketAddress::parse("127.0.0.1:5683")}); }
  SECTION("bound to all") { played.policy.listening({*SocketAddress::parse("[::]:5683")}); }
  played.alive("alive:n1", "127.0.0.1:40000");
  CHECK(played.effects.requests.at(0).from.text() == "127.0.0.1:5683");
  CHECK(played.answer("</led>") == "127.0.0.1:40000/.well-known/core");
  CHECK(played.answer("0") == "127.0.0.1:40000/led");
  wire::Ask ask;
  ask.uid = "n1";
  ask.resource = "led";
  played.policy.ask(ask, played.now);
  CHECK(played.fail(Errc::timeout) == "127.0.0.1:40000/led");
  CHECK(played.effects.requests.empty());
  played.alive("alive:n1", "192.0.2.2:5683");
  REQUIRE(played.effects.requests.size() == 1);
  CHECK(played.effects.requests[0].to.text() == "127.0.0.1:40000");
}

TEST_CASE("A node at another address of the gateway's host has its own port 5683") {
  Played played;
  SECTION("bound to one") { played.policy.listening({*SocketAddress::parse("127.0.0.1:5683")}); }
  SECTION("bound to all") { played.policy.listening({*SocketAddress::parse("[::]:5683")}); }
  played.alive("alive:n1", "127.0.0.2:40000");
  CHECK(played.answer("</led>") == "127.0.0.2:5683/.well-known/core");
}

TEST_CASE("A refused node's latest values go to the broker once it is free") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  played.policy.refused("n1", "gateway 'paris' has it", played.now);
  played.post("a:1", "192.0.2.1:5683");
  played.post("a:2", "192.0.2.1:5683");
  played.happened();
  played.policy.freed("n1", played.now);
  CHECK(played.happened() == Log{"joined n1 192.0.2.1", "update n1 led=0", "update n1 a=2"});
  CHECK_FALSE(played.policy.table().find("n1")->refused);
  played.policy.freed("nobody", played.now);
  played.advance(121s);
  played.happened();
  played.policy.freed("n1", played.now);
  CHECK(played.happened().empty());
}

TEST_CASE("A refused node that moves is offered with its values") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  played.policy.refused("n1", "gateway 'paris' has it", played.now);
  played.alive("alive:n1", "192.0.2.2:5683");
  played.fail(Errc::timeout);
  CHECK(played.happened() == Log{"joined n1 192.0.2.2", "update n1 led=0"});
}

TEST_CASE("A broker's refusal holds a node's values back until it is offered again") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  played.policy.refused("n1", "gateway 'paris' has it", played.now);
  CHECK(played.policy.table().find("n1")->refused);
  played.post("a:1", "192.0.2.1:5683");
  played.happened();
  played.advance(31s);
  played.alive("alive:n1", "192.0.2.1:5683");
  CHECK(played.happened() == Log{"joined n1 192.0.2.1", "update n1 led=0", "update n1 a=1"});
  CHECK_FALSE(played.policy.table().find("n1")->refused);
  played.policy.refused("nobody", "", played.now);
}
