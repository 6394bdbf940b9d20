#include <catch2/catch.hpp>

#include "daemon/gateway/node_file.h"
#include "gateway/policy_fixture.h"

using namespace aiot;
using namespace aiot::gateway;
using namespace std::chrono_literals;

namespace {

/// Nodes on DTLS: who says it, and what it has proved.
struct Secure : Played {
  static coap::Peer peer(const std::string& address, const std::string& credential) {
    auto out = Played::peer(address);
    out.local = *SocketAddress::parse("127.0.0.1:5684");
    out.credential = credential;
    return out;
  }
  std::uint8_t alive(const std::string& payload, const std::string& from, const std::string& credential) {
    return policy.alive(payload, peer(from, credential), now).code;
  }
  std::uint8_t post(const std::string& payload, const std::string& from, const std::string& credential) {
    return policy.post(payload, peer(from, credential), now).code;
  }
};

constexpr auto kDone = coap::code(2, 4), kForbidden = coap::code(4, 3);

}  // namespace

TEST_CASE("A node on DTLS is asked over its own session, at no other port") {
  Secure played;
  CHECK(played.alive("alive:n1", "192.0.2.1:40001", "psk:a") == kDone);
  const auto request = played.take();
  CHECK(request.secure);
  CHECK(request.to.text() == "192.0.2.1:40001");
  CHECK(request.from.text() == "127.0.0.1:5684");
  played.policy.responded(request.ticket, make_error(Errc::timeout, "silence"), played.now);
  CHECK(played.effects.requests.empty());  // port 5683 is not tried
}

TEST_CASE("A node's uid stays with its credential") {
  Secure played;
  REQUIRE(played.alive("alive:n1", "192.0.2.1:40001", "psk:a") == kDone);
  played.answer("</led>");
  played.answer("0");
  played.happened();

  SECTION("not for another, nor for none, nor for a reset") {
    CHECK(played.alive("alive:n1", "192.0.2.2:40001", "psk:b") == kForbidden);
    CHECK(played.alive("reset:n1", "192.0.2.1:40001", "") == kForbidden);
    CHECK(played.alive("alive:", "192.0.2.1:40002", "") == kForbidden);
    CHECK(played.happened() ==
          Log{"notice uid_conflict n1", "notice uid_conflict n1", "notice uid_conflict n1"});
    CHECK(played.effects.requests.empty());
  }
  SECTION("nor for posts from its address") {
    CHECK(played.post("led:1", "192.0.2.1:40001", "") == kForbidden);
    CHECK(played.post("led:1", "192.0.2.1:5683", "psk:b") == kForbidden);
    CHECK(played.happened() == Log{"notice uid_conflict n1", "notice uid_conflict n1"});
    CHECK(played.post("led:1", "192.0.2.1:40001", "psk:a") == kDone);
    CHECK(played.happened() == Log{"update n1 led=1"});
  }
  SECTION("nor for a registration") {
    const auto reply =
        played.policy.enroll({"ep=n1"}, "</x>", Secure::peer("192.0.2.1:40001", ""), played.now);
    CHECK(reply.code == kForbidden);
  }
  SECTION("nor when it is out") {
    played.advance(300s);
    CHECK(played.alive("alive:n1", "192.0.2.1:40001", "") == kForbidden);
    CHECK(played.alive("alive:n1", "192.0.2.1:40001", "psk:a") == kDone);
  }
  SECTION("and goes with it to any address at once") {
    CHECK(played.alive("alive:n1", "198.51.100.7:40005", "psk:a") == kDone);
    CHECK(played.take().to.text() == "198.51.100.7:40005");
    CHECK(played.post("led:1", "198.51.100.7:40005", "psk:a") == kDone);
  }
}

TEST_CASE("A node that spoke in the clear may take to DTLS, and does not go back") {
  Secure played;
  played.joined("n1", "192.0.2.1:5683");
  CHECK(played.alive("alive:n1", "192.0.2.1:40001", "cert:CN=n1") == kDone);
  CHECK(played.alive("alive:n1", "192.0.2.1:5683", "") == kForbidden);
}

TEST_CASE("Who waits for a node to fall silent does not get it once it has proved who it is") {
  Secure played;
  played.joined("n1", "192.0.2.1:5683");
  CHECK(played.alive("alive:n1", "192.0.2.9:5683", "") == kDone);
  const auto probe = played.take();
  CHECK(played.alive("alive:n1", "192.0.2.1:40001", "psk:a") == kDone);
  played.policy.responded(probe.ticket, make_error(Errc::timeout, "silence"), played.now);
  CHECK(played.post("led:1", "192.0.2.9:5683", "") != kDone);
  CHECK(played.post("led:1", "192.0.2.1:40001", "psk:a") == kDone);
}

TEST_CASE("A credential survives a restart, and so does what follows from it") {
  Secure played;
  REQUIRE(played.alive("alive:n1", "192.0.2.1:40001", "cert:CN=n1,O=\"x\"") == kDone);
  std::string file = node_file_head();
  append_node(file, *played.policy.table().find("n1"));
  file += node_file_tail(1);
  auto read = parse_node_file(file);
  REQUIRE(read);
  REQUIRE(read->nodes.size() == 1);
  CHECK(read->nodes[0].credential == "cert:CN=n1,O=\"x\"");

  Secure next;
  next.policy.restore(std::move(read->nodes[0]), next.now);
  CHECK(next.alive("alive:n1", "192.0.2.1:40001", "") == kForbidden);
  CHECK(next.alive("alive:n1", "192.0.2.1:40001", "cert:CN=n1,O=\"x\"") == kDone);
}
