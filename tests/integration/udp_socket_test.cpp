#include "core/loop/udp_socket.h"

#include <catch2/catch.hpp>
#include <cstdlib>
#include <set>
#include <string>

#include "support/test_loop.h"

// In a network namespace of its own: its links are the test's to slow down.

using aiot::SocketAddress;
using aiot::UdpSocket;
using namespace std::chrono_literals;

namespace {

struct Counting {
  Counting(aiot::EventLoop& loop, const char* local) {
    auto bound = UdpSocket::bind(loop, *SocketAddress::parse(local),
                                 [this](const SocketAddress&, std::string_view datagram) {
                                   ++heard;
                                   kinds.emplace(datagram);
                                 });
    REQUIRE(bound);
    socket = std::move(*bound);
  }
  int heard = 0;
  std::set<std::string> kinds;
  std::unique_ptr<UdpSocket> socket;
};

}  // namespace

TEST_CASE("multicast of both families reaches a socket that joined") {
  REQUIRE(std::system("ip link add mc0 type veth peer name mc1 && ip -6 addr add fe80::1/64 dev mc0 nodad && "
                      "ip link set mc0 up && ip link set mc1 up") == 0);
  aiot::test::TestLoop loop;
  Counting member(loop.loop(), "[::]:1885");
  REQUIRE(member.socket->join(*SocketAddress::parse("225.1.1.1:1885"), {}));
  REQUIRE(member.socket->join(*SocketAddress::parse("[ff02::1]:1885"), "mc0"));
  REQUIRE(member.socket->join(*SocketAddress::parse("225.1.1.1:1885"), "lo"));  // again does no harm
  const Counting four(loop.loop(), "127.0.0.1:0");
  const Counting six(loop.loop(), "[::]:0");
  four.socket->send(*SocketAddress::parse("225.1.1.1:1885"), "4");
  six.socket->send(*SocketAddress::parse("[ff02::1%mc0]:1885"), "6");
  REQUIRE(loop.run_until([&] { return member.kinds.size() == 2; }));
}

TEST_CASE("what a slow link cannot take waits, and beyond the bound is dropped and counted") {
  // The link holds 2 MB: more than the kernel lets one socket have under way, so that it says "not now".
  REQUIRE(std::system("tc qdisc add dev lo root tbf rate 100mbit burst 64kb limit 2mb") == 0);
  aiot::test::TestLoop loop;
  Counting from(loop.loop(), "127.0.0.1:0");
  Counting to(loop.loop(), "127.0.0.1:0");
  constexpr int kFlood = 6'000;
  const std::string datagram(1'000, 'x');
  for (int i = 0; i < kFlood; ++i) from.socket->send(to.socket->bound(), datagram);
  const auto refused = from.socket->counters().send_failures;
  CHECK(refused > 0);
  CHECK(refused < kFlood / 2);
  REQUIRE(loop.run_until([&] { return to.heard == kFlood - static_cast<int>(refused); }));
  CHECK(from.socket->counters().sent == static_cast<std::uint64_t>(to.heard));
  CHECK(from.socket->counters().send_failures == refused);
  REQUIRE(std::system("tc qdisc del dev lo root") == 0);
  from.socket->send(to.socket->bound(), "after");
  const int before = to.heard;
  REQUIRE(loop.run_until([&] { return to.heard == before + 1; }));
}
