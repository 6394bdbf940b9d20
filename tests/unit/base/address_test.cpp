#include "core/base/address.h"

#include <netinet/in.h>

#include <catch2/catch.hpp>
#include <unordered_set>

using aiot::SocketAddress;

namespace {

std::string round_trip(std::string_view text, std::uint16_t port = 0) {
  const auto address = SocketAddress::parse(text, port);
  return address ? address->text() : "error: " + address.error().message;
}

}  // namespace

TEST_CASE("addresses are read and written in one spelling") {
  CHECK(round_trip("192.0.2.1:5683") == "192.0.2.1:5683");
  CHECK(round_trip("[::1]:0") == "[::1]:0");
  CHECK(round_trip("[2001:DB8:0:0::1]:80") == "[2001:db8::1]:80");
  CHECK(round_trip(":8000") == "[::]:8000");
  CHECK(round_trip("192.0.2.1", 5683) == "192.0.2.1:5683");
  CHECK(round_trip("::1", 5683) == "[::1]:5683");
  CHECK(round_trip("[::1]", 5683) == "[::1]:5683");
  CHECK(round_trip("[fe80::1%lo]:1") == "[fe80::1%lo]:1");
  CHECK(round_trip("[fe80::1%25lo]:1") == "[fe80::1%lo]:1");
  CHECK(round_trip("[::ffff:192.0.2.1]:7") == "192.0.2.1:7");
}

TEST_CASE("a scope counts only where addresses are link-local") {
  CHECK(round_trip("[::1%lo]:1") == "[::1]:1");
  CHECK(round_trip("[ff02::fd%lo]:1") == "[ff02::fd%lo]:1");
}

TEST_CASE("what is no numeric address is refused with its reason") {
  for (const char* text : {"", ":", "192.0.2.1", "::1", "localhost:1", "192.0.2.1:65536", "192.0.2.1:",
                           "192.0.2.1:-1", "[::1", "[::1]x", "[]:1", "[192.0.2.1]:1", "192.0.2.256:1",
                           "[::1%]:1", "192.0.2.1%lo:1", "1:2:3", "[fe80::1%no-such-interface]:1"}) {
    INFO(text);
    const auto address = SocketAddress::parse(text);
    REQUIRE_FALSE(address);
    CHECK(address.error().code == aiot::Errc::usage);
    CHECK(address.error().message.find("is not an address") != std::string::npos);
  }
}

TEST_CASE("a mapped address and its IPv4 form are one peer") {
  sockaddr_storage storage{};
  const auto v4 = *SocketAddress::parse("192.0.2.7:5683");
  const auto length = v4.to(storage, AF_INET6);
  CHECK(storage.ss_family == AF_INET6);
  const auto back = SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length);
  CHECK(back == v4);
  CHECK(back.hash() == v4.hash());
  CHECK(back.family() == AF_INET);
}

TEST_CASE("an address survives the socket interface") {
  for (const char* text : {"192.0.2.1:5683", "[2001:db8::1]:5684", "[fe80::1%lo]:1"}) {
    const auto address = *SocketAddress::parse(text);
    sockaddr_storage storage{};
    const auto length = address.to(storage);
    CHECK(SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length) == address);
  }
  CHECK(SocketAddress::from(nullptr, 0).empty());
  sockaddr other{};
  other.sa_family = AF_UNIX;
  CHECK(SocketAddress::from(&other, sizeof other).empty());
}

TEST_CASE("kinds of addresses are told apart") {
  const auto is = [](const char* text) { return *SocketAddress::parse(text, 1); };
  CHECK(is("224.0.1.187").is_multicast());
  CHECK(is("ff02::fd").is_multicast());
  CHECK_FALSE(is("192.0.2.1").is_multicast());
  CHECK(is("127.3.2.1").is_loopback());
  CHECK(is("::1").is_loopback());
  CHECK_FALSE(is("::2").is_loopback());
  CHECK(is("0.0.0.0").is_any());
  CHECK(is("::").is_any());
  CHECK_FALSE(SocketAddress().is_any());
}

TEST_CASE("a URI shows the zone as RFC 6874 wants it") {
  CHECK(SocketAddress::parse("[fe80::1%lo]:1")->uri_host() == "[fe80::1%25lo]");
  CHECK(SocketAddress::parse("192.0.2.1:1")->uri_host() == "192.0.2.1");
}

TEST_CASE("ten thousand neighbouring peers hash apart") {
  std::unordered_set<std::size_t> buckets;
  for (int i = 0; i < 10'000; ++i) {
    const auto text = "127.0." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1) + ":5683";
    buckets.insert(SocketAddress::parse(text)->hash() % 16384);
  }
  CHECK(buckets.size() > 7000);  // random placing leaves about 7,500
}
