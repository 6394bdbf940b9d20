#include "daemon/broker/asks.h"

#include <catch2/catch.hpp>

#include "core/loop/fake_loop.h"
#include "unit/broker/fakes.h"

using namespace aiot;
using namespace aiot::broker;
using namespace std::chrono_literals;

namespace {

struct World {
  FakeLoop loop;
  NodeTable table;
  Counters counters;
  Histogram durations;
  RecordingHub hub;
  RecordingEvents events;
  Records records;
  Routing routing{table, hub, events, records, counters};
  FakeLink link, old_link;
  Asks asks{loop, table, counters, durations};
  std::vector<Result<wire::Answer>> results;

  World() {
    old_link.native = false;
    auto& native = routing.connected({"g", "g", "s", "t", "p", true}, link, {});
    auto& pyaiot = routing.connected({"old", "", "", "t", "p", false}, old_link, {});
    routing.apply(native,
                  std::vector<wire::Item>{
                      wire::NodeJoined{"n", "CoAP", "x", {}}, wire::NodeJoined{"mq", "MQTT", "x", {}},
                      wire::NodeJoined{"gone", "CoAP", "x", {}}, wire::NodeOut{"gone", {}}},
                  {});
    routing.node_new(pyaiot, "py", false, {});
  }
  void request(const std::string& uid, Method method = Method::put, Duration timeout = 10s) {
    asks.request({method, uid, "led", "1", {}, timeout, timeout},
                 [this](Result<wire::Answer> result) { results.push_back(std::move(result)); });
  }
  void answer(std::uint64_t id, std::optional<Error> error = {}) {
    wire::Answer answer;
    answer.id = id;
    answer.code = "2.04";
    answer.confirmed = "device";
    answer.error = std::move(error);
    asks.answered(link, answer);
  }
  void echo(const std::string& uid, const std::string& resource, const std::string& bytes) {
    asks.heard(*table.find(uid), Resource{resource, bytes, {}, {}, false, false, false});
  }
};

}  // namespace

TEST_CASE("an ask is settled by its answer, on a later turn, once") {
  World w;
  w.request("n");
  REQUIRE(w.link.asked.size() == 1);
  CHECK(w.link.asked[0].payload == "1");
  CHECK(w.link.asked[0].deadline == 10s);
  w.answer(w.link.asked[0].id);
  CHECK(w.results.empty());
  w.answer(w.link.asked[0].id);
  w.loop.run_posted();
  REQUIRE(w.results.size() == 1);
  CHECK(w.results[0]->code == "2.04");
  CHECK(w.asks.pending() == 0);
  CHECK(w.durations.count == 1);
  w.loop.advance(1min);
  CHECK(w.results.size() == 1);
}

TEST_CASE("an ask without an answer ends unknown at its deadline") {
  World w;
  w.request("n", Method::put, 2s);
  w.request("n", Method::put, 1s);
  w.loop.advance(1300ms);
  REQUIRE(w.results.size() == 1);
  w.loop.advance(2s);
  REQUIRE(w.results.size() == 2);
  CHECK(w.results[1].error().code == Errc::timeout);
  CHECK(w.results[1].error().outcome == Outcome::unknown);
}

TEST_CASE("another gateway's answer settles nothing") {
  World w;
  w.request("n");
  wire::Answer answer;
  answer.id = w.link.asked[0].id;
  w.asks.answered(w.old_link, answer);
  w.loop.run_posted();
  CHECK(w.results.empty());
}

TEST_CASE("a pyaiot gateway's write is settled by the echo of its value") {
  World w;
  w.request("py");
  REQUIRE(w.old_link.asked.size() == 1);
  w.echo("py", "led", "0");
  w.echo("py", "other", "1");
  w.loop.run_posted();
  CHECK(w.results.empty());
  w.echo("py", "led", "1");
  w.loop.run_posted();
  REQUIRE(w.results.size() == 1);
  CHECK(w.results[0]->confirmed == "echo");
  w.request("n");
  w.echo("n", "led", "1");  // a native gateway answers for itself
  w.loop.run_posted();
  CHECK(w.results.size() == 1);
}

TEST_CASE("what cannot be asked is refused before it is sent") {
  World w;
  for (const auto& [uid, method, code] :
       {std::tuple("none", Method::put, Errc::rejected), std::tuple("gone", Method::put, Errc::unreachable),
        std::tuple("py", Method::get, Errc::usage), std::tuple("mq", Method::post, Errc::usage)}) {
    w.results.clear();
    w.request(uid, method);
    CHECK(w.results.empty());
    w.loop.run_posted();
    REQUIRE(w.results.size() == 1);
    CHECK(w.results[0].error().code == code);
    CHECK(w.results[0].error().outcome == Outcome::not_sent);
  }
  CHECK(w.link.asked.empty());
  CHECK(w.old_link.asked.empty());
}

TEST_CASE("a gateway that goes away leaves its asks unknown") {
  World w;
  w.request("n");
  w.request("py");
  w.asks.gateway_gone(w.link);
  w.loop.run_posted();
  REQUIRE(w.results.size() == 1);
  CHECK(w.results[0].error().outcome == Outcome::unknown);
  CHECK(w.asks.pending() == 1);
}

TEST_CASE("asks under way are bounded, and a full queue is not sent") {
  World w;
  w.link.full = true;
  w.request("n");
  w.loop.run_posted();
  CHECK(w.results.at(0).error().outcome == Outcome::not_sent);
  w.link.full = false;
  for (std::size_t i = 0; i < kMaxPendingAsks + 1; ++i) w.request("n");
  w.loop.run_posted();
  CHECK(w.results.size() == 2);
  CHECK(w.asks.pending() == kMaxPendingAsks);
  CHECK(w.counters.dropped[static_cast<std::size_t>(Drop::queue_full)] == 2);
}

TEST_CASE("a client's write is sent with its id, or counted") {
  World w;
  w.asks.write("py", "led", "1", "client-1");
  REQUIRE(w.old_link.asked.size() == 1);
  CHECK(w.old_link.sources[0] == "client-1");
  w.asks.write("n", "led", "1", "client-1");
  CHECK(w.link.asked.size() == 1);
  w.answer(w.link.asked[0].id, make_error(Errc::timeout, "no"));
  w.asks.write("none", "led", "1", "client-1");
  w.asks.write("gone", "led", "1", "client-1");
  CHECK(w.counters.dropped[static_cast<std::size_t>(Drop::unknown_node)] == 1);
  CHECK(w.counters.dropped[static_cast<std::size_t>(Drop::gateway_away)] == 1);
}

TEST_CASE("asks that end with the broker are silent") {
  World w;
  {
    Asks asks(w.loop, w.table, w.counters, w.durations);
    asks.request({Method::put, "n", "led", "1", {}, 10s, 10s},
                 [](const Result<wire::Answer>&) { FAIL("called"); });
  }
  w.loop.advance(1min);
}

TEST_CASE("a success that cannot be one leaves a write unknown and fails a read") {
  World w;
  for (const auto& [code, confirmed] : {std::pair("9.99", "device"),
                                        {"4.04", "device"},
                                        {"2.0", "device"},
                                        {"2.0x", "device"},
                                        {"2.04", ""},
                                        {"2.04", "perhaps"},
                                        {"", ""}}) {
    CAPTURE(code, confirmed);
    w.request("n");
    wire::Answer answer;
    answer.id = w.link.asked.back().id;
    answer.code = code;
    answer.confirmed = confirmed;
    w.asks.answered(w.link, answer);
    w.loop.run_posted();
    REQUIRE_FALSE(w.results.back());
    CHECK(w.results.back().error().code == Errc::peer_failed);
    CHECK(w.results.back().error().outcome == Outcome::unknown);
  }
  w.request("n", Method::get);
  wire::Answer answer;
  answer.id = w.link.asked.back().id;
  answer.code = "9.99";
  w.asks.answered(w.link, answer);
  w.request("n", Method::get);
  answer.id = w.link.asked.back().id;
  answer.code = "2.05";
  w.asks.answered(w.link, answer);
  w.request("n");
  answer.id = w.link.asked.back().id;
  answer.code.clear();
  answer.confirmed = "echo";
  w.asks.answered(w.link, answer);
  w.loop.run_posted();
  REQUIRE(w.results.size() == 10);
  CHECK(w.results[7].error().code == Errc::peer_failed);
  CHECK(w.results[7].error().outcome == Outcome::none);
  CHECK(w.results[8]);
  CHECK(w.results[9]);
}

TEST_CASE("a client's write counts among the durations, however it ends") {
  World w;
  w.asks.write("n", "led", "1", "client-1");
  w.answer(w.link.asked[0].id);
  CHECK(w.durations.count == 1);
  w.asks.write("py", "led", "1", "client-1");
  w.echo("py", "led", "1");
  CHECK(w.durations.count == 2);
  w.asks.write("n", "led", "1", "client-1");
  w.loop.advance(11s);
  CHECK(w.durations.count == 3);
  CHECK(w.asks.pending() == 0);
}
