#include <catch2/catch.hpp>

#include "unit/mqttsn/client_fixture.h"

using namespace aiot;
using namespace aiot::mqttsn;
using namespace std::chrono_literals;
using Strings = std::vector<std::string>;

TEST_CASE("our client and our gateway, with 30 % loss each way: nothing is lost, and QoS 2 comes once") {
  const int qos = GENERATE(1, 2);
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U);
  CAPTURE(qos, seed);
  constexpr int kMessages = 200;
  World w({.retry_after = 100ms, .retries = -1});
  ClientCoreOptions options;
  options.client_id = "c";
  options.retry_after = 100ms;
  options.retries = -1;
  Client c(w, 1, options, seed, 30);
  c.connect();
  c.core.subscribe(1'000'000, "down/+", qos, w.now);
  for (int turn = 0; c.core.queued() > 0 && turn < 10'000; ++turn) c.advance(100ms);
  c.take_log();
  Strings expected_up, expected_down, tickets;
  for (int i = 0; i < kMessages; ++i) {
    c.core.publish(static_cast<std::uint64_t>(1 + i), {"up/x", std::to_string(i), qos, false}, w.now);
    w.core.deliver({"down/x", std::to_string(i), qos, false}, w.now);
    const auto tail = "/x=" + std::to_string(i) + " q" + std::to_string(qos);
    expected_up.push_back("c up" + tail);
    expected_down.push_back("down" + tail);
    tickets.push_back(std::to_string(1 + i));
  }
  for (int turn = 0; turn < 10'000 && (c.core.queued() > 0 || w.core.counters().queued > 0); ++turn)
    c.advance(100ms);
  CHECK(c.take_log() == tickets);
  CHECK(w.published == expected_up);
  CHECK(c.heard == expected_down);
  CHECK(c.core.counters().retransmissions > 0);
}

TEST_CASE("with losses and reconnects in between, QoS 2 still arrives once and in order") {
  const unsigned seed = GENERATE(1U, 2U, 3U, 4U, 5U, 6U);
  CAPTURE(seed);
  World w({.retry_after = 100ms, .retries = -1});
  ClientCoreOptions options;
  options.client_id = "c";
  options.retry_after = 100ms;
  options.retries = 1;
  Client c(w, 1, options, seed, 40);
  c.connect();
  Strings expected, tickets;
  constexpr int kMessages = 60;
  for (int i = 0; i < kMessages; ++i) {
    c.core.publish(static_cast<std::uint64_t>(1 + i), {"up/x", std::to_string(i), 2, false}, w.now);
    expected.push_back("c up/x=" + std::to_string(i) + " q2");
    tickets.push_back(std::to_string(1 + i));
  }
  for (int turn = 0; turn < 100'000 && c.core.queued() > 0; ++turn) c.advance(100ms);
  CHECK(w.published == expected);
  auto log = c.take_log();
  const auto all = log.size();
  std::erase_if(log, [](const std::string& line) { return line.starts_with("lost") || line == "connected"; });
  CHECK(log == tickets);
  CHECK(all - log.size() > 4);  // there were losses, and returns
}
