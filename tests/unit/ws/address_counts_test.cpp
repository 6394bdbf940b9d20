#include "core/ws/address_counts.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::ws;

namespace {

SocketAddress subscriber(const char* text) { return subscriber_of(*SocketAddress::parse(text)); }

}  // namespace

TEST_CASE("a subscriber is an IPv4 address or a network of 64 bits") {
  CHECK(subscriber("192.0.2.1:4000") == subscriber("192.0.2.1:4001"));
  CHECK(subscriber("192.0.2.1:4000") != subscriber("192.0.2.2:4000"));
  CHECK(subscriber("[::ffff:192.0.2.1]:1") == subscriber("192.0.2.1:2"));
  CHECK(subscriber("[2001:db8:0:1::1]:1") == subscriber("[2001:db8:0:1:ffff::2]:2"));
  CHECK(subscriber("[2001:db8:0:1::1]:1") != subscriber("[2001:db8:0:2::1]:1"));
  CHECK(subscriber("[2001:db8:0:1::1]:1").text() == "[2001:db8:0:1::]:0");
}

TEST_CASE("connections are counted for each subscriber and forgotten with the last") {
  AddressCounts counts;
  const auto one = subscriber("192.0.2.1:1");
  const auto two = subscriber("192.0.2.2:1");
  counts.add(one);
  counts.add(one);
  counts.add(two);
  CHECK(counts.of(one) == 2);
  CHECK(counts.of(two) == 1);
  counts.remove(one);
  counts.remove(two);
  counts.remove(two);
  counts.remove({});
  CHECK(counts.of(one) == 1);
  CHECK(counts.of(two) == 0);
  CHECK(counts.size() == 1);
}
