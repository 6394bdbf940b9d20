#include <catch2/catch.hpp>

#include "gateway/policy_fixture.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {
wire::Ask put(const std::string& value, const std::string& uid = "n1") {
  wire::Ask ask;
  ask.id = 7;
  ask.uid = uid;
  ask.resource = "led";
  ask.payload = value;
  ask.deadline = 10s;
  return ask;
}
Result<Response> changed() {
  Response response;
  response.code = "2.04";
  return response;
}
}  // namespace

TEST_CASE("A write that the node confirms is answered and forwarded as one update") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  played.policy.ask(put("1"), played.now);
  const auto request = played.take();
  CHECK(request.to.text() == "192.0.2.1:5683");
  CHECK(request.method == Method::put);
  CHECK(request.payload == "1");
  CHECK(played.happened().empty());
  SECTION("any 2.xx confirms") {
    auto response = changed();
    response->code = "2.01";
    played.policy.responded(request.ticket, std::move(response), played.now);
    CHECK(played.happened() == Log{"update n1 led=1"});
  }
  SECTION("unless the node posted that same value meanwhile") {
    played.post("led:1", "192.0.2.1:5683");
    CHECK(played.happened() == Log{"update n1 led=1"});
    played.policy.responded(request.ticket, changed(), played.now);
    CHECK(played.happened().empty());
  }
  SECTION("another value or resource posted meanwhile is not the write's echo") {
    played.post("led:0", "192.0.2.1:5683");
    played.post("other:1", "192.0.2.1:5683");
    played.happened();
    played.policy.responded(request.ticket, changed(), played.now);
    CHECK(played.happened() == Log{"update n1 led=1"});
  }
  SECTION("a value posted before the write does not count") {
    played.policy.responded(request.ticket, changed(), played.now);
    played.happened();
    played.post("led:1", "192.0.2.1:5683");
    played.happened();
    played.policy.ask(put("1"), played.now);
    played.policy.responded(played.take().ticket, changed(), played.now);
    CHECK(played.happened() == Log{"update n1 led=1"});
  }
  REQUIRE_FALSE(played.effects.answers.empty());
  const auto& answer = played.effects.answers[0];
  CHECK(answer.id == 7);
  CHECK_FALSE(answer.error);
  CHECK(answer.confirmed == "device");
  CHECK(answer.rtt);
}

TEST_CASE("A node that is unknown or out cannot be written") {
  Played played({.max_time = 10s});
  played.joined("n1", "192.0.2.1:5683");
  played.policy.ask(put("1", "n2"), played.now);
  played.advance(11s);
  played.policy.ask(put("1"), played.now);
  REQUIRE(played.effects.answers.size() == 2);
  for (const auto& answer : played.effects.answers) {
    REQUIRE(answer.error);
    CHECK(answer.error->code == Errc::unreachable);
    CHECK(answer.error->outcome == Outcome::not_sent);
  }
  CHECK(played.effects.requests.empty());
}

TEST_CASE("A write's failure says what is known of it") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  played.policy.ask(put("1"), played.now);
  SECTION("refused by the node") {
    played.fail(Errc::rejected, 405);
    CHECK(played.effects.answers.at(0).error->outcome == Outcome::rejected);
    CHECK(played.effects.answers.at(0).error->native == 405);
    CHECK(played.effects.answers.at(0).code == "4.05");
  }
  SECTION("failed by the node") {
    played.fail(Errc::peer_failed, 500);
    CHECK(played.effects.answers.at(0).error->outcome == Outcome::rejected);
    CHECK(played.effects.answers.at(0).code == "5.00");
  }
  SECTION("no answer") {
    played.fail(Errc::timeout);
    CHECK(played.effects.answers.at(0).error->code == Errc::timeout);
    CHECK(played.effects.answers.at(0).error->outcome == Outcome::unknown);
  }
  SECTION("a closed port") {
    played.fail(Errc::unreachable);
    CHECK(played.effects.answers.at(0).error->outcome == Outcome::not_sent);
  }
  CHECK(played.happened().empty());
  CHECK(played.policy.counters().writes_failed == 1);
}

TEST_CASE("A write goes to 5683 first, then to the port the node last spoke from") {
  Played played;
  played.joined("n1", "192.0.2.1:40000");
  played.policy.ask(put("1"), played.now);
  REQUIRE(played.effects.requests.at(0).to.text() == "192.0.2.1:5683");
  CHECK(played.effects.requests.at(0).timeout == 5s);
  played.advance(5s);
  played.fail(Errc::timeout);
  CHECK(played.effects.requests.at(0).to.text() == "192.0.2.1:40000");
  CHECK(played.effects.requests.at(0).from.text() == "127.0.0.1:5683");
  CHECK(played.effects.requests.at(0).timeout == 5s);
  SECTION("where it answers, the next write begins there") {
    played.policy.responded(played.take().ticket, changed(), played.now);
    CHECK(played.happened() == Log{"update n1 led=1"});
    played.policy.ask(put("0"), played.now);
    CHECK(played.take().to.text() == "192.0.2.1:40000");
  }
  SECTION("a closed port there does not undo that the first attempt may have arrived") {
    played.fail(Errc::unreachable);
    CHECK(played.effects.answers.at(0).error->outcome == Outcome::unknown);
  }
}

TEST_CASE("A request that may not be repeated is not, unless it never arrived") {
  Played played;
  played.joined("n1", "192.0.2.1:40000");
  auto ask = put("1");
  ask.method = Method::post;
  played.policy.ask(ask, played.now);
  CHECK(played.effects.requests.at(0).timeout == 10s);
  SECTION("silence ends it") {
    played.fail(Errc::timeout);
    CHECK(played.effects.requests.empty());
    CHECK(played.effects.answers.at(0).error->outcome == Outcome::unknown);
  }
  SECTION("a closed port is tried at the other place") {
    played.fail(Errc::unreachable);
    CHECK(played.effects.requests.at(0).to.text() == "192.0.2.1:40000");
    played.policy.responded(played.take().ticket, changed(), played.now);
    CHECK_FALSE(played.effects.answers.at(0).error);
    CHECK(played.happened().empty());  // only a PUT's value is known to be the resource's
  }
}

TEST_CASE("A live read answers with the value, which counts as an update") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  auto ask = put("");
  ask.method = Method::get;
  played.policy.ask(ask, played.now);
  played.policy.responded(played.take().ticket, Played::content("42", 0), played.now);
  CHECK(played.effects.answers.at(0).payload == "42");
  CHECK(played.effects.answers.at(0).content_format == 0);
  CHECK(played.effects.answers.at(0).confirmed.empty());
  CHECK(played.happened() == Log{"update n1 led=42"});
}

TEST_CASE("Requests with a bad resource, no time left or beyond the bound are not sent") {
  Played played;
  played.joined("n1", "192.0.2.1:5683");
  auto ask = put("1");
  ask.resource = "a\nb";
  played.policy.ask(ask, played.now);
  ask = put("1");
  ask.deadline = Duration(0);
  played.policy.ask(ask, played.now);
  CHECK(played.effects.requests.empty());
  for (std::size_t i = 0; i < kMaxRequests + 1; ++i) played.policy.ask(put("1"), played.now);
  CHECK(played.effects.requests.size() == kMaxRequests);
  REQUIRE(played.effects.answers.size() == 3);
  for (const auto& answer : played.effects.answers) CHECK(answer.error->outcome == Outcome::not_sent);
}

TEST_CASE("A write under way when its node goes out is still answered") {
  Played played({.max_time = 5s});
  played.joined("n1", "192.0.2.1:5683");
  played.policy.ask(put("1"), played.now);
  played.advance(6s);
  played.happened();
  SECTION("by silence") {
    played.fail(Errc::timeout);
    CHECK(played.effects.answers.at(0).error->outcome == Outcome::unknown);
  }
  SECTION("by the node, which is back thereby") {
    played.policy.responded(played.take().ticket, changed(), played.now);
    CHECK(played.happened() == Log{"joined n1 192.0.2.1", "update n1 led=1"});
  }
}
