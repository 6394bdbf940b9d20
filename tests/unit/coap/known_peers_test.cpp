#include "core/coap/known_peers.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::coap;
using namespace std::chrono_literals;
using Standing = KnownPeers::Standing;

namespace {

SocketAddress at(int port) { return *SocketAddress::parse("192.0.2.1:" + std::to_string(port)); }
constexpr TimePoint kStart = TimePoint{} + 1h;

}  // namespace

TEST_CASE("a peer that answered is known for ten minutes, by address and port") {
  KnownPeers peers(4);
  CHECK(peers.standing(at(1), kStart) == Standing::unknown);
  peers.note(at(1), true, kStart);
  CHECK(peers.standing(at(1), kStart + 10min - 1ms) == Standing::known);
  CHECK(peers.standing(at(1), kStart + 10min) == Standing::unknown);
  CHECK(peers.standing(at(2), kStart) == Standing::unknown);
}

TEST_CASE("a peer that kept silent is asked again after half a minute, and may answer late") {
  KnownPeers peers(4);
  peers.note(at(1), false, kStart);
  CHECK(peers.standing(at(1), kStart + 29s) == Standing::silent);
  CHECK(peers.standing(at(1), kStart + 30s) == Standing::unknown);
  peers.note(at(1), true, kStart + 5s);
  CHECK(peers.standing(at(1), kStart + 30s) == Standing::known);
  CHECK(peers.size() == 1);
}

TEST_CASE("of more peers than there is room for the one noted longest ago goes") {
  KnownPeers peers(2);
  peers.note(at(1), true, kStart);
  peers.note(at(2), true, kStart);
  peers.note(at(1), true, kStart);
  peers.note(at(3), false, kStart);
  CHECK(peers.size() == 2);
  CHECK(peers.standing(at(1), kStart) == Standing::known);
  CHECK(peers.standing(at(2), kStart) == Standing::unknown);
  CHECK(peers.standing(at(3), kStart) == Standing::silent);

  KnownPeers none(0);
  none.note(at(1), true, kStart);
  CHECK(none.standing(at(1), kStart) == Standing::unknown);
}
