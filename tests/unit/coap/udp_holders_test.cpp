#include "core/coap/udp_holders.h"

#include <sys/socket.h>

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::coap;

TEST_CASE("unconnected sockets are read from the kernel's tables") {
  const auto four = parse_udp_table(
      "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
      "  412: 0100007F:1633 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 x 0\n"
      "  413: 00000000:1633 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 1 2 x 0\n"
      "  414: 0100007F:1634 0200007F:1633 01 00000000:00000000 00:00000000 00000000     0        0 1 2 x 0\n"
      "broken\n\n  415: zz00007F:1633 00000000:0000 07\n",
      AF_INET);
  REQUIRE(four.size() == 2);
  CHECK(four[0].text() == "127.0.0.1:5683");
  CHECK(four[1].text() == "0.0.0.0:5683");

  const auto six = parse_udp_table(
      "  sl  local_address                         remote_address                        st\n"
      "  1: 00000000000000000000000000000000:1633 00000000000000000000000000000000:0000 07 0\n"
      "  2: 00000000000000000000000001000000:1633 00000000000000000000000000000000:0000 07 0\n"
      "  3: 0000000000000000FFFF00000100007F:1633 00000000000000000000000000000000:0000 07 0",
      AF_INET6);
  REQUIRE(six.size() == 3);
  CHECK(six[0].text() == "[::]:5683");
  CHECK(six[1].text() == "[::1]:5683");
  CHECK(six[2].text() == "127.0.0.1:5683");
  CHECK(parse_udp_table("", AF_INET).empty());
}
