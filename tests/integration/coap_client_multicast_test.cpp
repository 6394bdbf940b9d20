// Discovery of everybody in reach; runs in a network namespace of its own, where only loopback is.
#include <net/if.h>

#include <cstdlib>
#include <set>

#include "integration/coap_client_support.h"

using namespace aiot;
using namespace aiot::test;
using coap::code;
using coap::Message;

namespace {

/// A node on CoAP's own port at `address` that also hears `group`.
class GroupNode {
 public:
  GroupNode(EventLoop& loop, const std::string& address, const std::string& group, std::string links)
      : links_(std::move(links)) {
    auto own = *SocketAddress::parse(address, 5683);
    auto joined = *SocketAddress::parse(group, 5683);
    // A socket bound to the group hears the group only; answers leave from the node's own address.
    own_ = open(own, {});
    group_ = open(joined, own);
    for (const int fd : {own_, group_}) {
      watches_.push_back(loop.watch(fd, FdWatch::kReadable, [this, fd](unsigned) { read(fd); }));
    }
  }
  GroupNode(const GroupNode&) = delete;
  GroupNode& operator=(const GroupNode&) = delete;
  ~GroupNode() {
    watches_.clear();
    ::close(own_);
    ::close(group_);
  }
  int asked = 0;

 private:
  static int open(const SocketAddress& at, const SocketAddress& interface) {
    const int fd = socket(at.family(), SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    sockaddr_storage storage{};
    const auto size = at.to(storage);
    if (at.is_multicast() && at.family() == AF_INET) {
      ip_mreqn join{};
      join.imr_multiaddr = reinterpret_cast<sockaddr_in*>(&storage)->sin_addr;
      sockaddr_storage own{};
      interface.to(own);
      join.imr_address = reinterpret_cast<sockaddr_in*>(&own)->sin_addr;
      REQUIRE(setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof join) == 0);
    } else if (at.is_multicast()) {
      ipv6_mreq join{};
      join.ipv6mr_multiaddr = reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr;
      join.ipv6mr_interface = if_nametoindex("aiot0");
      reinterpret_cast<sockaddr_in6*>(&storage)->sin6_scope_id = join.ipv6mr_interface;
      REQUIRE(setsockopt(fd, IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP, &join, sizeof join) == 0);
    }
    REQUIRE(bind(fd, reinterpret_cast<sockaddr*>(&storage), size) == 0);
    return fd;
  }
  void read(int fd) {
    std::array<char, 2048> buffer;
    sockaddr_storage from{};
    socklen_t size = sizeof from;
    const auto got = recvfrom(fd, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
    if (got < 0) return;
    auto request = coap::parse_message({buffer.data(), static_cast<std::size_t>(got)});
    if (!request) return;
    ++asked;
    const auto wanted = request->uint_option(coap::option::kBlock2).value_or(0) >> 4;
    auto answer =
        UdpPeer::answer(*request, code(2, 5), links_.substr(std::min(links_.size(), wanted * 64), 64));
    answer.add_uint(coap::option::kContentFormat, 40);
    answer.add_uint(coap::option::kBlock2, wanted << 4 | (wanted * 64 + 64 < links_.size() ? 8U : 0U) | 2U);
    const auto datagram = coap::format_message(answer);
    (void)sendto(own_, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&from), size);
  }
  std::string links_;
  int own_ = -1;
  int group_ = -1;
  std::vector<std::unique_ptr<FdWatch>> watches_;
};

/// Loopback has no route for IPv6 groups: a link of this test's own has one.
void make_link() {
  static const int made = std::system(
      "ip link add aiot0 type veth peer name aiot1 && ip link set aiot0 addrgenmode none && "
      "ip link set aiot0 up && ip link set aiot1 up && ip -6 addr add fd00:a108::1/64 dev aiot0 nodad && "
      "ip -6 addr add fd00:a108::2/64 dev aiot0 nodad && "
      "ip -6 addr add fe80::1/64 dev aiot0 nodad");
  REQUIRE(made == 0);
}

struct Found {
  std::multiset<std::string> nodes;
  std::multiset<std::string> resources;
  std::optional<Result<>> done;

  Operation start(Bench& bench, DiscoverRequest request) {
    request.timeout = 800ms;
    return bench.client().discover(
        std::move(request),
        [this](Discovered one) { (one.type == Discovered::Type::node ? nodes : resources).insert(one.uri); },
        [this](Result<> result) { done = std::move(result); });
  }
};

}  // namespace

TEST_CASE("nobody in reach is a timeout at the end of the time given") {
  Bench bench;
  Found found;
  const auto start = bench.loop().now();
  auto operation = found.start(bench, {});
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE_FALSE(*found.done);
  CHECK(found.done->error().code == Errc::timeout);
  CHECK(bench.loop().now() - start >= 800ms);
}

TEST_CASE("nodes on IPv4 and IPv6 groups and on loopback are found, each once") {
  make_link();
  Bench bench;
  GroupNode four(bench.loop(), "127.0.0.7", "224.0.1.187", "</four>;rt=a");
  GroupNode loopback(bench.loop(), "127.0.0.1", "224.0.1.187", "</loopback>");
  GroupNode link(bench.loop(), "fd00:a108::1", "ff02::fd", "</link>");
  std::string many = "</r0>";
  for (int i = 1; i < 20; ++i) many += ",</r" + std::to_string(i) + ">";
  GroupNode site(bench.loop(), "fd00:a108::2", "ff05::fd", many);
  Found found;
  auto operation = found.start(bench, {});
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE(*found.done);
  CHECK(found.nodes == std::multiset<std::string>{"coap://127.0.0.1", "coap://127.0.0.7",
                                                  "coap://[fd00:a108::1]", "coap://[fd00:a108::2]"});
  CHECK(found.resources.count("coap://127.0.0.7/four") == 1);
  CHECK(found.resources.count("coap://127.0.0.1/loopback") == 1);
  CHECK(found.resources.count("coap://[fd00:a108::1]/link") == 1);
  // More than a block: the whole list is asked for from the node itself.
  CHECK(found.resources.count("coap://[fd00:a108::2]/r19") == 1);
  CHECK(found.resources.size() == 23);
}

TEST_CASE("an interface may be named, and must exist") {
  Bench bench;
  GroupNode four(bench.loop(), "127.0.0.7", "224.0.1.187", "</four>");
  Found found;
  DiscoverRequest request;
  request.interface = "lo";
  auto operation = found.start(bench, request);
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  CHECK(found.nodes == std::multiset<std::string>{"coap://127.0.0.7"});
  found = {};
  request.interface = "no-such0";
  operation = found.start(bench, request);
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE_FALSE(*found.done);
  CHECK(found.done->error().code == Errc::unreachable);
}

TEST_CASE("a group may be the target") {
  Bench bench;
  GroupNode four(bench.loop(), "127.0.0.7", "224.0.1.187", "</four>");
  Found found;
  DiscoverRequest request;
  request.target = *parse_uri("coap://224.0.1.187");
  auto operation = found.start(bench, request);
  REQUIRE(bench.run_until([&] { return found.done.has_value(); }));
  REQUIRE(*found.done);
  CHECK(found.nodes == std::multiset<std::string>{"coap://127.0.0.7"});
}

TEST_CASE("a link-local node is reached with its zone, or with the interface named beside it") {
  make_link();
  Bench bench;
  GroupNode node(bench.loop(), "fe80::1%aiot0", "ff02::fd", "</here>");
  auto request = make_request("coap://[fe80::1%25aiot0]/x");
  const auto zoned = bench.ask(request);
  REQUIRE(zoned);
  CHECK(zoned->payload == "</here>");
  request = make_request("coap://[fe80::1]/x");
  request.interface = "aiot0";
  CHECK(bench.ask(request));
  request.interface = "no-such0";
  CHECK(bench.ask(request).error().code == Errc::unreachable);
  request.interface.clear();
  CHECK(bench.ask(request).error().code == Errc::unreachable);
}
