#include <catch2/catch.hpp>

#include "core/client.h"

using namespace aiot;

TEST_CASE("enumerators have the names that outputs and wires use") {
  CHECK(to_string(NodeState::live) == "live");
  CHECK(to_string(NodeState::stale) == "stale");
  CHECK(to_string(NodeState::out) == "out");
  CHECK(to_string(Method::get) == "GET");
  CHECK(to_string(Method::put) == "PUT");
  CHECK(to_string(Method::post) == "POST");
  CHECK(to_string(Method::del) == "DELETE");
  CHECK(to_string(Method::fetch) == "FETCH");
  CHECK(to_string(Method::patch) == "PATCH");
  CHECK(to_string(Method::ipatch) == "iPATCH");
  CHECK(to_string(StreamEvent::Kind::gap) == "gap");
  CHECK(to_string(StreamEvent::Kind::lost) == "lost");
  CHECK(to_string(StreamEvent::Kind::resumed) == "resumed");
  for (const auto code : {Errc::internal, Errc::usage, Errc::unreachable, Errc::timeout, Errc::rejected,
                          Errc::peer_failed, Errc::unauthorized, Errc::partial}) {
    CHECK_FALSE(to_string(code).empty());
  }
  CHECK(to_string(Outcome::none).empty());
  CHECK(to_string(Outcome::not_sent) == "not_sent");
  CHECK(to_string(Outcome::rejected) == "rejected");
  CHECK(to_string(Outcome::unknown) == "unknown");
}
