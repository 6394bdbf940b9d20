#include <algorithm>
#include <catch2/catch.hpp>

#include "core/codec/link_format.h"
#include "gateway/policy_fixture.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {
using Query = std::vector<std::string_view>;
}

TEST_CASE("A registration makes a node whose resources are read where it registered from") {
  Played played;
  const auto peer = Played::peer("192.0.2.1:61616");
  const auto reply =
      played.policy.enroll(Query{"ep=node1", "lt=300"}, "</t>;rt=\"temp\",</p>", peer, played.now);
  CHECK(reply.code == coap::code(2, 1));
  REQUIRE(reply.location_path.size() == 2);
  CHECK(reply.location_path[0] == "rd");
  CHECK(played.answer("1") == "192.0.2.1:61616/t");
  CHECK(played.answer("2") == "192.0.2.1:61616/p");
  CHECK(played.happened() == Log{"joined node1 192.0.2.1", "update node1 t=1", "update node1 p=2"});
  const std::string id = reply.location_path[1];

  SECTION("registering again keeps the place and reads nothing") {
    const auto again =
        played.policy.enroll(Query{"ep=node1", "lt=300"}, "</t>;rt=\"temp\",</p>", peer, played.now);
    CHECK(again.location_path == reply.location_path);
    CHECK(played.effects.requests.empty());
  }
  SECTION("other links are read") {
    played.policy.enroll(Query{"ep=node1"}, "</u>", peer, played.now);
    CHECK(played.answer("3") == "192.0.2.1:61616/u");
  }
  SECTION("its lifetime is its own, and an update renews it") {
    played.advance(290s);
    CHECK(played.policy.renew(id, Query{}, peer, played.now).code == coap::code(2, 4));
    played.advance(290s);
    CHECK(played.happened() == Log{"joined node1 192.0.2.1"});  // the broker hears that it still speaks
    CHECK(played.policy.renew(id, Query{"lt=60"}, peer, played.now).code == coap::code(2, 4));
    played.advance(61s);
    CHECK(played.happened() == Log{"joined node1 192.0.2.1", "out node1"});
    CHECK(played.policy.renew(id, Query{}, peer, played.now).code == coap::code(4, 4));
  }
  SECTION("deleting it takes the node out") {
    CHECK(played.policy.withdraw(id, played.now).code == coap::code(2, 2));
    CHECK(played.happened() == Log{"out node1"});
    CHECK(played.policy.withdraw(id, played.now).code == coap::code(4, 4));
  }
  SECTION("an update from a new address moves it") {
    CHECK(played.policy.renew(id, Query{}, Played::peer("192.0.2.9:7000"), played.now).code ==
          coap::code(2, 4));
    CHECK(played.happened() == Log{"joined node1 192.0.2.9"});
    CHECK(played.answer("1") == "192.0.2.9:7000/t");
    CHECK(played.policy.renew(id, Query{}, Played::peer("192.0.2.9:7000"), played.now).code ==
          coap::code(2, 4));
  }
  SECTION("ep cannot be changed") {
    CHECK(played.policy.renew(id, Query{"ep=x"}, peer, played.now).code == coap::code(4, 0));
  }
  SECTION("a reset reads the registered links again") {
    played.alive("reset:node1", "192.0.2.1:61616");
    CHECK(played.answer("5") == "192.0.2.1:61616/t");
  }
  SECTION("lookups show it") {
    CHECK(
        played.policy.look_up(Query{}, false).payload ==
        "<coap://192.0.2.1:61616/t>;rt=\"temp\";anchor=\"coap://192.0.2.1:61616\",<coap://192.0.2.1:61616/p>;"
        "anchor=\"coap://192.0.2.1:61616\"");
    CHECK(played.policy.look_up(Query{"rt=temp"}, false).payload.find("/p>") == std::string::npos);
    CHECK(played.policy.look_up(Query{"rt=nothing"}, false).payload.empty());
    CHECK(played.policy.look_up(Query{"ep=node*"}, true).payload.find("</rd/" + id + ">;ep=\"node1\"") == 0);
    CHECK(
        played.policy.look_up(Query{"count=1", "page=1"}, false).payload.find("<coap://192.0.2.1:61616/p>") ==
        0);
  }
}

TEST_CASE("A lookup's criteria are met by a link, by its endpoint or by any of the endpoint's links") {
  Played played;
  const auto enroll = [&](const Query& query, std::string_view links, const std::string& from) {
    return played.policy.enroll(query, links, Played::peer(from), played.now).location_path.at(1);
  };
  const auto one =
      enroll({"ep=one", "et=lamp room", "d=east"},
             "</t>;rt=\"temp core.s\";if=sensor,<led>;rt=light;anchor=\"/room\"", "192.0.2.1:5683");
  enroll({"ep=two"}, "</t>;rt=temp", "192.0.2.2:5683");
  const auto found = [&](const Query& query, bool endpoints) {
    auto links = parse_link_format(played.policy.look_up(query, endpoints).payload);
    REQUIRE(links);
    std::vector<std::string> out;
    for (const auto& link : *links) out.push_back(link.target);
    std::sort(out.begin(), out.end());
    return out;
  };
  const std::string t1 = "coap://192.0.2.1/t", led1 = "coap://192.0.2.1/led", t2 = "coap://192.0.2.2/t";
  const std::string rd1 = "/rd/" + one, by_rd = "href=" + rd1, by_uri = "href=coap://192.0.2.99" + rd1;

  CHECK(found({"rt=light"}, true) == Log{rd1});
  CHECK(found({"rt=temp"}, true).size() == 2);
  CHECK(found({"rt=light", "if=sensor"}, true) == Log{rd1});
  CHECK(found({"rt=light", "if=nothing"}, true).empty());
  CHECK(found({"et=lamp*"}, false) == Log{led1, t1});
  CHECK(found({"et=lamp room", "rt=temp"}, false) == Log{t1});
  CHECK(found({"d=east"}, true) == Log{rd1});
  CHECK(found({"ep=two"}, false) == Log{t2});

  CHECK(found({"href=coap://192.0.2.1/led"}, false) == Log{led1});
  CHECK(found({"href=/led"}, false) == Log{led1});
  CHECK(found({"href=/t"}, false) == Log{t1, t2});
  CHECK(found({"href=/le*"}, true) == Log{rd1});
  CHECK(found({by_rd}, true) == Log{rd1});
  CHECK(found({by_uri}, true) == Log{rd1});
  CHECK(found({by_rd}, false) == Log{led1, t1});
  CHECK(found({"href=coap://192.0.2.9/led"}, false).empty());
  CHECK(found({"anchor=coap://192.0.2.1/room"}, false) == Log{led1});
}

TEST_CASE("A base says where the node is") {
  Played played;
  const auto reply = played.policy.enroll(Query{"ep=n", "base=coap://[2001:db8::7]:5690"}, "</t>",
                                          Played::peer("192.0.2.1:1"), played.now);
  CHECK(reply.code == coap::code(2, 1));
  CHECK(played.answer("1") == "[2001:db8::7]:5690/t");
  played.happened();
  const std::string id = reply.location_path.at(1);

  SECTION("an update without one leaves it") {
    CHECK(played.policy.renew(id, Query{"lt=600"}, Played::peer("192.0.2.1:2"), played.now).code ==
          coap::code(2, 4));
    CHECK(played.happened().empty());
    CHECK(played.policy.table().find("n")->server().text() == "[2001:db8::7]:5690");
    CHECK(played.policy.look_up(Query{}, true).payload.find("base=\"coap://[2001:db8::7]:5690\"") !=
          std::string::npos);
  }
  SECTION("an update with one replaces it for good") {
    played.policy.renew(id, Query{"base=coap://[2001:db8::8]"}, Played::peer("192.0.2.1:2"), played.now);
    CHECK(played.happened() == Log{"joined n 2001:db8::8"});
    played.policy.renew(id, Query{}, Played::peer("192.0.2.1:2"), played.now);
    CHECK(played.happened().empty());
    CHECK(played.policy.table().find("n")->server().text() == "[2001:db8::8]:5683");
  }
}

TEST_CASE("A sector is part of the uid, so that one name in two sectors is two nodes") {
  Played played;
  played.policy.enroll(Query{"ep=n", "d=east"}, "</t>", Played::peer("192.0.2.1:1"), played.now);
  played.policy.enroll(Query{"ep=n"}, "</t>", Played::peer("192.0.2.2:1"), played.now);
  CHECK(played.happened() == Log{"joined n@east 192.0.2.1", "joined n 192.0.2.2"});
}

TEST_CASE("Simple registration reads the links from the node") {
  Played played;
  const auto peer = Played::peer("192.0.2.1:61616");
  CHECK(played.policy.enroll_simple(Query{"ep=n"}, peer, played.now).code == coap::code(2, 4));
  CHECK(played.answer("</t>") == "192.0.2.1:61616/.well-known/core");
  CHECK(played.answer("1") == "192.0.2.1:61616/t");
  const auto links = [&] { return played.policy.look_up(Query{}, false).payload; };
  CHECK(links() == "<coap://192.0.2.1:61616/t>;anchor=\"coap://192.0.2.1:61616\"");
  CHECK(played.policy.enroll_simple(Query{"ep=n"}, peer, played.now).code == coap::code(2, 4));
  CHECK(links().find("/t>") != std::string::npos);
  CHECK(played.effects.requests.empty());
  played.alive("reset:n", "192.0.2.1:61616");
  CHECK(played.answer("</u>") == "192.0.2.1:61616/.well-known/core");
  CHECK(links().find("/u>") != std::string::npos);
  CHECK(played.answer("1") == "192.0.2.1:61616/u");
  CHECK(played.policy.enroll_simple(Query{}, peer, played.now).code == coap::code(4, 0));
  CHECK(played.policy.enroll_simple(Query{"ep=n", "base=coap://1.2.3.4"}, peer, played.now).code ==
        coap::code(4, 0));
}

TEST_CASE("Registrations that cannot be understood are 4.00 with the parameter's name, and counted") {
  Played played;
  const auto peer = Played::peer("192.0.2.1:1");
  const auto refused = [&](const Query& query, const std::string& links, const std::string& name) {
    const auto reply = played.policy.enroll(query, links, peer, played.now);
    CHECK(reply.code == coap::code(4, 0));
    INFO(reply.payload);
    CHECK(reply.payload.find(name) != std::string::npos);
  };
  refused({}, "", "ep");
  refused({"ep="}, "", "ep");
  refused({"ep=a\nb"}, "", "ep");
  refused({"ep=a", "lt=0"}, "", "lt");
  refused({"ep=a", "lt=4294967296"}, "", "lt");
  refused({"ep=a", "lt=-1"}, "", "lt");
  refused({"ep=a", "base=http://1.2.3.4"}, "", "base");
  refused({"ep=a", "base=coap://name"}, "", "base");
  refused({"ep=a", "base=coap://224.0.1.187"}, "", "base");
  refused({"ep=a", "base=coap://1.2.3.4/path"}, "", "base");
  refused({"ep=a"}, "<<", "");
  CHECK(played.happened().empty());
  CHECK(played.policy.counters().dropped[static_cast<std::size_t>(Drop::bad_registration)] == 11);
}

TEST_CASE("A registration of a uid that lives elsewhere is checked first") {
  Played played;
  played.joined("n", "192.0.2.1:5683");
  const auto peer = Played::peer("192.0.2.2:5683");
  CHECK(played.policy.enroll(Query{"ep=n"}, "</t>", peer, played.now).code == coap::code(5, 3));
  SECTION("it is there") {
    played.answer("");
    CHECK(played.happened() == Log{"notice uid_conflict n"});
    CHECK(played.policy.enroll(Query{"ep=n"}, "</t>", peer, played.now).code == coap::code(4, 9));
  }
  SECTION("it is gone") {
    played.fail(Errc::timeout);
    CHECK(played.policy.enroll(Query{"ep=n"}, "</t>", peer, played.now).code == coap::code(2, 1));
  }
}

TEST_CASE("After a restart a node's posts count at once, and registrations go on") {
  Played played({.max_time = 60s});
  SavedNode saved;
  saved.uid = "n1";
  saved.address = *SocketAddress::parse("192.0.2.1:40000");
  saved.first_seen = played.now.wall - 1h;
  saved.last_seen = played.now.wall - 20s;
  saved.resources.push_back({"led", "1", std::nullopt, false, false, saved.last_seen});
  SavedNode old = saved;
  old.uid = "gone";
  old.address = *SocketAddress::parse("192.0.2.2:40000");
  old.last_seen = played.now.wall - 10min;
  SavedNode registered = saved;
  registered.uid = "rd";
  registered.address = *SocketAddress::parse("192.0.2.3:40000");
  registered.registration = Registration{"0badcafe", "", "", "rd", 1h, "</t>", false, std::nullopt};
  for (auto* node : {&saved, &old, &registered}) played.policy.restore(*node, played.now);

  CHECK(played.happened().empty());
  CHECK(played.effects.requests.empty());
  CHECK(played.post("a:1", "192.0.2.1:40000").code == coap::code(2, 4));
  CHECK(played.happened() == Log{"update n1 a=1"});
  CHECK(played.post("a:1", "192.0.2.2:40000").code == coap::code(2, 4));
  CHECK(played.happened() == Log{"joined gone 192.0.2.2", "update gone a=1"});
  CHECK(played.policy.renew("0badcafe", Query{}, Played::peer("192.0.2.3:40000"), played.now).code ==
        coap::code(2, 4));
  played.advance(61s);
  CHECK(played.policy.table().find("rd")->live);
  CHECK_FALSE(played.policy.table().find("n1")->live);
}

TEST_CASE("A clock that was set back does not keep restored nodes alive for ever") {
  Played played({.max_time = 60s});
  SavedNode saved;
  saved.uid = "n1";
  saved.address = *SocketAddress::parse("192.0.2.1:40000");
  saved.last_seen = played.now.wall + 24h * 365;
  played.policy.restore(saved, played.now);
  CHECK(played.policy.table().find("n1")->live);
  played.advance(61s);
  CHECK(played.happened() == Log{"out n1"});
}
