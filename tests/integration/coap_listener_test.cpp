#include <net/if.h>
#include <netinet/in.h>
#include <sys/wait.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>

#include "integration/coap_peer.h"

using namespace aiot;
using namespace aiot::coap;
using namespace std::chrono_literals;

namespace {

ServerOptions on(const std::string& udp, const std::string& tcp = {}) {
  ServerOptions options;
  if (!udp.empty()) options.udp = {*SocketAddress::parse(udp)};
  if (!tcp.empty()) options.tcp = {*SocketAddress::parse(tcp)};
  return options;
}

void echo(const ServerRequest& request, Responder responder) {
  ServerReply reply;
  reply.payload = std::string(to_string(request.method)) + " " + std::string(request.payload);
  if (!request.path.empty() && request.path[0] == "large") reply.payload = std::string(5000, 'L');
  if (!request.path.empty() && request.path[0] == "missing") reply.code = code(4, 4);
  responder.reply(std::move(reply));
}

Result<std::unique_ptr<CoapServer>> listen(EventLoop& loop, ServerOptions options) {
  return CoapServer::listen(loop, std::move(options), echo);
}

/// What a program prints; its exit status does not count, libcoap's client has none worth the name.
std::string output_of(const std::string& command) {
  auto* const pipe = ::popen(("timeout 20 " + command + " 2>/dev/null").c_str(), "r");
  REQUIRE(pipe != nullptr);
  std::string out;
  char buffer[4096];
  while (const auto size = std::fread(buffer, 1, sizeof buffer, pipe)) out.append(buffer, size);
  ::pclose(pipe);
  return out;
}

bool have_coap_client() { return std::system("command -v coap-client-notls >/dev/null") == 0; }

}  // namespace

TEST_CASE("a second server on the same address is refused with the reason") {
  auto loop = make_uv_loop();
  auto first = listen(*loop, on("127.0.0.1:0"));
  REQUIRE(first);
  const auto bound = (*first)->bound().at(0);
  CHECK(bound.port() != 0);
  auto second = listen(*loop, on(bound.text()));
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::unreachable);
  CHECK(second.error().message == "cannot listen on coap://" + bound.text() + ": address in use");
  first->reset();
  CHECK(listen(*loop, on(bound.text())));
}

TEST_CASE("a wildcard beside specific addresses is no conflict, beside the same wildcard it is") {
  auto loop = make_uv_loop();
  auto node = listen(*loop, on("127.1.0.5:5683"));
  REQUIRE(node);
  CHECK(listen(*loop, on("0.0.0.0:5683")));
  auto all = listen(*loop, on("[::]:5683"));
  REQUIRE(all);
  auto again = listen(*loop, on("[::]:5683"));
  REQUIRE_FALSE(again);
  CHECK(again.error().message == "cannot listen on coap://[::]:5683: address in use");
  CHECK(listen(*loop, on("127.1.0.6:5683")));
  CHECK_FALSE(listen(*loop, on("127.1.0.5:5683")));
  node->reset();
  // Nothing else overlaps now: the wildcard of the other family takes IPv4, too.
  CHECK_FALSE(listen(*loop, on("0.0.0.0:5683")));
}

TEST_CASE("a TCP address in use and an address that is not ours are named") {
  auto loop = make_uv_loop();
  auto first = listen(*loop, on("", "127.0.0.1:0"));
  REQUIRE(first);
  const auto bound = (*first)->bound().at(0).text();
  auto second = listen(*loop, on("", bound));
  REQUIRE_FALSE(second);
  CHECK(second.error().message == "cannot listen on coap+tcp://" + bound + ": address in use");
  auto foreign = listen(*loop, on("192.0.2.77:5683"));
  REQUIRE_FALSE(foreign);
  CHECK(foreign.error().message.find("coap://192.0.2.77:5683") != std::string::npos);
}

TEST_CASE("every listener is bound, UDP first, and peers have one spelling") {
  ServerOptions options = on("[::]:0", "127.0.0.1:0");
  options.udp.push_back(*SocketAddress::parse("127.0.0.1:0"));
  std::string seen;
  ServerThread server(std::move(options), [&](const ServerRequest& request, Responder responder) {
    ServerReply reply;
    reply.payload = request.peer.address.host() + " to " + request.peer.local.text();
    responder.reply(std::move(reply));
  });
  REQUIRE(server.bound.size() == 3);
  CHECK(server.bound[0].is_any());
  const auto mapped = SocketAddress::parse("127.0.0.1:" + std::to_string(server.bound[0].port()));
  UdpPeer peer(*mapped, "127.0.0.9");
  CHECK(peer.exchange(request(Type::con, kGet, 1, "x")).payload == "127.0.0.9 to " + mapped->text());
}

TEST_CASE("what is no CoAP is counted and harms nobody") {
  ServerThread server(on("127.0.0.1:0"), echo);
  UdpPeer peer(server.bound[0]);
  for (const auto& bad : {std::string("\x4f\x01\x00\x01", 4), std::string("\x40\x01\x00\x02\xf1", 5),
                          std::string("\x42\x01\x00\x03\x01", 5), std::string("\x40\x01\x00\x04\xff", 5),
                          std::string("\x40\x01\x00\x05\xbf\x01", 6), std::string(1200, '\xff')})
    peer.send(bad);
  UdpPeer other(server.bound[0]);
  CHECK(other.exchange(request(Type::con, kGet, 1, "x")).payload == "GET ");
  CHECK(server.counters().malformed == 6);
  CHECK(server.counters().requests == 1);
}

TEST_CASE("critical options nobody knows are 4.02, for those that are known but not supported too") {
  ServerThread server(on("127.0.0.1:0"), echo);
  UdpPeer peer(server.bound[0]);
  std::uint16_t id = 0;
  for (const std::uint16_t number :
       {std::uint16_t{9}, std::uint16_t{2049}, option::kIfMatch, option::kIfNoneMatch}) {
    auto message = request(Type::con, kGet, ++id, "x");
    message.add(number, number == option::kIfNoneMatch ? "" : "v");
    CHECK(code_text(peer.exchange(message).code) == "4.02");
  }
  auto elective = request(Type::con, kGet, ++id, "x");
  elective.add(2050, "v");
  CHECK(code_text(peer.exchange(elective).code) == "2.05");
  CHECK(server.counters().requests == 1);
}

TEST_CASE("datagrams the kernel dropped are counted") {
  ServerThread server(on("127.0.0.1:0"), echo);
  UdpPeer peer(server.bound[0]);
  server.run([&](EventLoop&) {
    const auto message = format_message(request(Type::non, kPost, 1, "x", std::string(1000, 'x')));
    for (int i = 0; i < 40'000; ++i) peer.send(message);
  });
  CHECK(server.counters().kernel_drops > 0);
}

TEST_CASE("a burst of a thousand small datagrams is not lost") {
  ServerThread server(on("127.0.0.1:0"), echo);
  UdpPeer peer(server.bound[0]);
  server.run([&](EventLoop&) {
    for (std::uint16_t i = 0; i < 1000; ++i) peer.send(request(Type::non, kPost, i, "x", "temperature:21"));
  });
  for (int i = 0; i < 1000 && server.counters().requests < 1000; ++i) std::this_thread::sleep_for(5ms);
  CHECK(server.counters().requests == 1000);
  CHECK(server.counters().kernel_drops == 0);
}

TEST_CASE("libcoap's own client is served over UDP and TCP, whole and block-wise") {
  if (!have_coap_client()) {
    WARN("coap-client-notls is not installed");
    return;
  }
  ServerThread server(on("127.0.0.1:0", "127.0.0.1:0"), echo);
  const std::string body(5000, 'u');
  char name[] = "/tmp/aiot-coap-XXXXXX";
  const int fd = ::mkstemp(name);
  REQUIRE(::write(fd, body.data(), body.size()) == static_cast<ssize_t>(body.size()));
  ::close(fd);
  for (const std::string scheme : {"coap", "coap+tcp"}) {
    const auto base = scheme + "://" + server.bound[scheme == "coap" ? 0 : 1].text();
    CHECK(output_of("coap-client-notls -m get " + base + "/x") == "GET \n");
    CHECK(output_of("coap-client-notls -m post -e a:1 " + base + "/server") == "POST a:1\n");
    CHECK(output_of("coap-client-notls -m get " + base + "/large") == std::string(5000, 'L') + "\n");
    CHECK(output_of("coap-client-notls -m put -f " + std::string(name) + " " + base + "/x") ==
          "PUT " + body + "\n");
    CHECK(output_of("coap-client-notls -m put -b 64 -f " + std::string(name) + " " + base + "/x") ==
          "PUT " + body + "\n");
  }
  ::unlink(name);
}

TEST_CASE("a stream may stop in the middle of a message, close, or send rubbish") {
  ServerThread server(on("", "127.0.0.1:0"), echo);
  sockaddr_storage to{};
  const auto size = server.bound[0].to(to);
  for (const auto& text : {std::string("\x00\xe1", 2), std::string("\x00\xe1\x52\x01", 4),
                           std::string("GET / HTTP/1.1\r\n\r\n"), std::string(3000, '\xff')}) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), size) == 0);
    [[maybe_unused]] const auto sent = ::send(fd, text.data(), text.size(), MSG_NOSIGNAL);
    server.counters();
    ::close(fd);
  }
  server.counters();
}

TEST_CASE("streams beyond the limit are closed, and make room when others go") {
  auto options = on("", "127.0.0.1:0");
  options.max_streams = 3;
  ServerThread server(std::move(options), echo);
  sockaddr_storage to{};
  const auto size = server.bound[0].to(to);
  const auto connect = [&] {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), size) == 0);
    timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return fd;
  };
  // Every stream starts with the server's CSM; one that is closed ends after it.
  const auto is_open = [](int fd) {
    char buffer[64];
    if (::recv(fd, buffer, sizeof buffer, 0) <= 0) return false;
    timeval limit{0, 300'000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    return ::recv(fd, buffer, sizeof buffer, 0) < 0 && errno == EAGAIN;
  };
  std::vector<int> fds;
  for (int i = 0; i < 3; ++i) {
    fds.push_back(connect());
    REQUIRE(is_open(fds.back()));
  }
  // Those that have said what a stream begins with, their CSM, stay.
  const auto speak = [](int fd) { REQUIRE(::send(fd, "\x00\xe1", 2, MSG_NOSIGNAL) == 2); };
  speak(fds[1]);
  speak(fds[2]);
  fds.push_back(connect());
  CHECK(is_open(fds.back()));
  char byte = 0;
  CHECK(::recv(fds[0], &byte, 1, 0) == 0);
  speak(fds.back());
  ::close(fds.front());
  fds.erase(fds.begin());
  server.counters();
  const int beyond = connect();
  CHECK_FALSE(is_open(beyond));
  ::close(beyond);
  ::close(fds.back());
  fds.pop_back();
  bool room = false;
  for (int i = 0; i < 50 && !room; ++i) {
    const int fd = connect();
    room = is_open(fd);
    fds.push_back(fd);
  }
  CHECK(room);
  for (const int fd : fds) ::close(fd);
}

TEST_CASE("a stream that says nothing is closed, one that has begun is not") {
  auto options = on("", "127.0.0.1:0");
  options.stream_patience = 300ms;
  ServerThread server(std::move(options), echo);
  sockaddr_storage to{};
  const auto size = server.bound[0].to(to);
  const auto begin = [&](std::string_view says) {
    const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
    REQUIRE(::connect(fd, reinterpret_cast<sockaddr*>(&to), size) == 0);
    timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    REQUIRE(::send(fd, says.data(), says.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(says.size()));
    return fd;
  };
  const int spoken = begin({"\x00\xe1", 2});
  const int half = begin({"\x00", 1});
  char buffer[64];
  ssize_t got = 1;
  while (got > 0) got = ::recv(half, buffer, sizeof buffer, 0);
  CHECK(got == 0);
  // A ping (RFC 8323 section 5.4) has its pong.
  REQUIRE(::recv(spoken, buffer, sizeof buffer, 0) > 0);
  REQUIRE(::send(spoken, "\x00\xe2", 2, MSG_NOSIGNAL) == 2);
  CHECK(::recv(spoken, buffer, sizeof buffer, 0) > 0);
  ::close(spoken);
  ::close(half);
}

TEST_CASE("multicast requests are answered after a while, errors and other methods never") {
  // Loopback has no route for IPv6 groups; in a namespace of its own the test may make a link that has.
  REQUIRE(std::getenv("AIOT_IN_NAMESPACE") != nullptr);
  REQUIRE(
      std::system("ip link add group0 type veth peer name group1 && ip link set group0 addrgenmode none && "
                  "ip link set group0 up && ip link set group1 up && ip addr add 10.7.0.1/24 dev group0 && "
                  "ip -6 addr add fd00:a109::1/64 dev group0 nodad") == 0);
  const auto link = ::if_nametoindex("group0");
  auto options = on("[::]:0");
  options.join_multicast = {"224.0.1.187", "ff02::fd", "ff05::fd%group0"};
  ServerThread server(std::move(options), echo);
  const auto port = htons(server.bound[0].port());

  for (const int family : {AF_INET, AF_INET6}) {
    const int fd = ::socket(family, SOCK_DGRAM, 0);
    sockaddr_storage group{};
    const auto parsed = SocketAddress::parse(family == AF_INET ? "224.0.1.187:1" : "[ff02::fd%group0]:1");
    const auto size = parsed->to(group);
    if (family == AF_INET) {
      reinterpret_cast<sockaddr_in&>(group).sin_port = port;
      const ip_mreqn through{{}, {}, static_cast<int>(link)};
      REQUIRE(::setsockopt(fd, IPPROTO_IP, IP_MULTICAST_IF, &through, sizeof through) == 0);
    } else {
      reinterpret_cast<sockaddr_in6&>(group).sin6_port = port;
      REQUIRE(::setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &link, sizeof link) == 0);
    }
    timeval limit{10, 0};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    const auto send = [&](const Message& message) {
      const auto datagram = format_message(message);
      REQUIRE(::sendto(fd, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&group), size) >
              0);
    };
    send(request(Type::non, kGet, 1, "missing", "", "no"));
    send(request(Type::non, kPost, 2, "x", "", "no"));
    send(request(Type::con, kGet, 3, "x", "", "no"));
    send(request(Type::non, kGet, 4, "x", "", "yes"));
    char buffer[256];
    const auto got = ::recv(fd, buffer, sizeof buffer, 0);
    REQUIRE(got > 0);
    const auto answer = parse_message({buffer, static_cast<std::size_t>(got)});
    REQUIRE(answer);
    CHECK(answer->token == "yes");
    CHECK(answer->type == Type::non);
    CHECK(answer->payload == "GET ");
    // On this link each request comes twice, by either end; the answer comes once.
    limit = {1, 200'000};
    ::setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    CHECK(::recv(fd, buffer, sizeof buffer, 0) < 0);
    ::close(fd);
  }
  CHECK(server.counters().requests == 4);
}

TEST_CASE("groups are joined on links that come up later") {
  REQUIRE(std::getenv("AIOT_IN_NAMESPACE") != nullptr);
  auto options = on("[::]:0");
  options.join_multicast = {"ff02::fd"};
  options.rejoin = 10ms;
  ServerThread server(std::move(options), echo);
  const auto joined = [] {
    std::ifstream groups("/proc/self/net/igmp6");
    std::string line;
    while (std::getline(groups, line))
      if (line.find("late0") != std::string::npos &&
          line.find("ff0200000000000000000000000000fd") != std::string::npos)
        return true;
    return false;
  };
  REQUIRE_FALSE(joined());
  REQUIRE(std::system("ip link add late0 type veth peer name late1 && ip link set late0 up") == 0);
  for (int i = 0; i < 1000 && !joined(); ++i) std::this_thread::sleep_for(5ms);
  CHECK(joined());
}

TEST_CASE("a group that is none is refused, one nobody can join is not fatal") {
  auto loop = make_uv_loop();
  auto options = on("[::]:0");
  options.join_multicast = {"10.0.0.1"};
  const auto refused = listen(*loop, std::move(options));
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::usage);
  options = on("[::]:0");
  options.join_multicast = {"ff02::fd%nowhere0"};
  CHECK(listen(*loop, std::move(options)));
}
