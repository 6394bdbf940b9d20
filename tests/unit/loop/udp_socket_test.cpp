#include "core/loop/udp_socket.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "support/test_loop.h"

using aiot::SocketAddress;
using aiot::UdpSocket;
using namespace std::chrono_literals;

namespace {

struct Peer {
  Peer(aiot::EventLoop& loop, const std::string& local) {
    auto bound = UdpSocket::bind(loop, *SocketAddress::parse(local),
                                 [this](const SocketAddress& from, std::string_view datagram) {
                                   senders.push_back(from);
                                   heard.emplace_back(datagram);
                                 });
    REQUIRE(bound);
    socket = std::move(*bound);
  }
  [[nodiscard]] SocketAddress at(const std::string& host) const {
    return *SocketAddress::parse(host + ":" + std::to_string(socket->bound().port()));
  }
  std::vector<SocketAddress> senders;
  std::vector<std::string> heard;
  std::unique_ptr<UdpSocket> socket;
};

}  // namespace

TEST_CASE("datagrams arrive with their sender, empty ones and the largest too") {
  aiot::test::TestLoop loop;
  Peer one(loop.loop(), "127.0.0.1:0");
  Peer two(loop.loop(), "127.0.0.1:0");
  REQUIRE(one.socket->bound().port() != 0);
  const std::string largest(65'507, 'x');
  one.socket->send(two.socket->bound(), "hello");
  one.socket->send(two.socket->bound(), "");
  one.socket->send(two.socket->bound(), largest);
  CHECK(two.heard.empty());
  REQUIRE(loop.run_until([&] { return two.heard.size() == 3; }));
  CHECK(two.heard == std::vector<std::string>{"hello", "", largest});
  CHECK(two.senders[0] == one.socket->bound());
  CHECK(one.socket->counters().sent == 3);
  CHECK(two.socket->counters().received == 3);
}

TEST_CASE("a socket on [::] takes both families and shows IPv4 peers as such") {
  aiot::test::TestLoop loop;
  Peer both(loop.loop(), "[::]:0");
  Peer four(loop.loop(), "127.0.0.1:0");
  Peer six(loop.loop(), "[::1]:0");
  four.socket->send(both.at("127.0.0.1"), "4");
  six.socket->send(both.at("[::1]"), "6");
  REQUIRE(loop.run_until([&] { return both.heard.size() == 2; }));
  for (const auto& sender : both.senders) both.socket->send(sender, "back");
  REQUIRE(loop.run_until([&] { return four.heard.size() == 1 && six.heard.size() == 1; }));
  CHECK(four.senders[0] == both.at("127.0.0.1"));
  const auto of_four = both.heard[0] == "4" ? both.senders[0] : both.senders[1];
  CHECK(of_four == four.socket->bound());
}

TEST_CASE("an address in use is said, and that there is no such address") {
  aiot::test::TestLoop loop;
  Peer first(loop.loop(), "127.0.0.1:0");
  const auto second = UdpSocket::bind(loop.loop(), first.socket->bound(), [](const auto&, auto) {});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == aiot::Errc::unreachable);
  CHECK(second.error().message ==
        "cannot open a UDP socket on " + first.socket->bound().text() + ": address in use");
  const auto foreign =
      UdpSocket::bind(loop.loop(), *SocketAddress::parse("192.0.2.1:0"), [](const auto&, auto) {});
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().message.find("192.0.2.1:0") != std::string::npos);
}

TEST_CASE("a burst is taken in batches of a turn each, so that others run, and nothing of it is lost") {
  aiot::test::TestLoop loop;
  constexpr std::size_t kBurst = 2'000;
  Peer from(loop.loop(), "127.0.0.1:0");
  Peer to(loop.loop(), "127.0.0.1:0");
  std::vector<std::size_t> seen;  // at each turn
  std::function<void()> look = [&] {
    seen.push_back(to.heard.size());
    if (to.heard.size() < kBurst) loop.loop().post(look);
  };
  loop.loop().post(look);
  for (std::size_t i = 0; i < kBurst; ++i) from.socket->send(to.socket->bound(), std::to_string(i));
  REQUIRE(loop.run_until([&] { return to.heard.size() == kBurst; }));
  CHECK(to.heard.front() == "0");
  CHECK(to.heard.back() == std::to_string(kBurst - 1));
  CHECK(std::any_of(seen.begin(), seen.end(), [](auto count) { return count > 0 && count < kBurst; }));
  CHECK(to.socket->counters().kernel_drops == 0);
}

TEST_CASE("a peer that is not there stops nothing, and what the kernel refuses is counted") {
  aiot::test::TestLoop loop;
  Peer one(loop.loop(), "127.0.0.1:0");
  Peer two(loop.loop(), "127.0.0.1:0");
  SocketAddress nobody;
  {
    const Peer gone(loop.loop(), "127.0.0.1:0");
    nobody = gone.socket->bound();
  }
  for (int i = 0; i < 3; ++i) one.socket->send(nobody, "?");
  one.socket->send(two.socket->bound(), std::string(65'508, 'x'));  // no datagram is that long
  one.socket->send(*SocketAddress::parse("[::1]:9"), "wrong family");
  one.socket->send(two.socket->bound(), "after");
  REQUIRE(loop.run_until([&] { return two.heard.size() == 1; }));
  CHECK(two.heard[0] == "after");
  CHECK(one.socket->counters().send_failures == 2);
  two.socket->send(one.socket->bound(), "still");
  REQUIRE(loop.run_until([&] { return one.heard.size() == 1; }));
}

TEST_CASE("a socket may be destroyed in its own callback, and what was sent before leaves still") {
  aiot::test::TestLoop loop;
  Peer other(loop.loop(), "127.0.0.1:0");
  std::unique_ptr<UdpSocket> socket;
  int calls = 0;
  auto bound = UdpSocket::bind(loop.loop(), *SocketAddress::parse("127.0.0.1:0"),
                               [&](const SocketAddress& from, std::string_view) {
                                 ++calls;
                                 socket->send(from, "bye");
                                 socket.reset();
                               });
  REQUIRE(bound);
  socket = std::move(*bound);
  other.socket->send(socket->bound(), "1");
  other.socket->send(socket->bound(), "2");
  REQUIRE(loop.run_until([&] { return other.heard.size() == 1; }));
  CHECK(other.heard[0] == "bye");
  CHECK(calls == 1);
}

TEST_CASE("only multicast groups of its family can be joined") {
  aiot::test::TestLoop loop;
  const Peer four(loop.loop(), "127.0.0.1:0");
  const auto six = four.socket->join(*SocketAddress::parse("[ff02::1]:1885"), {});
  REQUIRE_FALSE(six);
  CHECK(six.error().message.find("cannot join ff02::1") != std::string::npos);
  const auto unicast = four.socket->join(*SocketAddress::parse("127.0.0.1:1885"), {});
  REQUIRE_FALSE(unicast);
  CHECK(unicast.error().message == "127.0.0.1 is not a multicast group");
  const auto link = four.socket->join(*SocketAddress::parse("225.1.1.1:1885"), "none-such");
  REQUIRE_FALSE(link);
  CHECK(link.error().message == "none-such: no such interface");
}
