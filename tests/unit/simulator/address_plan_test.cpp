#include "daemon/simulator/address_plan.h"

#include <catch2/catch.hpp>

#include <set>
#include <sstream>

#include "daemon/simulator/udp_table.h"

using namespace aiot;
using namespace aiot::simulator;

TEST_CASE("Nodes are counted from the base address, without .0 and .255") {
  const auto plan = AddressPlan::make("127.1.0.1", 5683, 1000);
  REQUIRE(plan);
  CHECK(plan->node(0).text() == "127.1.0.1:5683");
  CHECK(plan->node(253).text() == "127.1.0.254:5683");
  CHECK(plan->node(254).text() == "127.1.1.1:5683");
  CHECK(plan->node(508).text() == "127.1.2.1:5683");
}

TEST_CASE("Fifty thousand nodes have fifty thousand addresses") {
  const auto plan = AddressPlan::make("127.3.7.200", 5683, 50000);
  REQUIRE(plan);
  std::set<std::string> seen;
  for (std::size_t i = 0; i < 50000; ++i) {
    const auto host = plan->node(i).host();
    CHECK(host.rfind("127.", 0) == 0);
    seen.insert(host);
  }
  CHECK(seen.size() == 50000);
}

TEST_CASE("IPv6 nodes are counted in the last 64 bits") {
  const auto plan = AddressPlan::make("fd00:a107::ffff", 5683, 10);
  REQUIRE(plan);
  CHECK(plan->node(0).host() == "fd00:a107::ffff");
  CHECK(plan->node(1).host() == "fd00:a107::1:0");
}

TEST_CASE("A base address that cannot hold the nodes is refused by name") {
  for (const auto* base :
       {"127.255.255.250", "nonsense", "127.0.0.0", "0.0.0.0", "224.0.1.187", "127.1.0.255", ""}) {
    INFO(base);
    const auto plan = AddressPlan::make(base, 5683, 100);
    REQUIRE_FALSE(plan);
    CHECK(plan.error().code == Errc::usage);
    CHECK(plan.error().message.find(base) != std::string::npos);
  }
}

TEST_CASE("The kernel's table of UDP sockets tells which addresses are taken") {
  std::istringstream table(
      "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid\n"
      "  131: 0100017F:1633 00000000:0000 07 00000000:00000000 00:00000000 00000000     0\n"
      " 1131: 0000000000000000FFFF00000200017F:1633 00000000000000000000000000000000:0000 07\n"
      "  garbage\n"
      "  1: nonsense:12 0\n"
      "  2: 0100007F:99999 0\n");
  std::unordered_set<SocketAddress> addresses;
  read_udp_table(table, addresses);
  CHECK(addresses.size() == 2);
  CHECK(addresses.count(*SocketAddress::parse("127.1.0.1:5683")) == 1);
  CHECK(addresses.count(*SocketAddress::parse("127.1.0.2:5683")) == 1);
}
