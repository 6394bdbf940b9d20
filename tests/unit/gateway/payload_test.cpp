#include "daemon/gateway/payload.h"

#include <catch2/catch.hpp>

#include "daemon/gateway/identity.h"

using namespace aiot;
using namespace aiot::gateway;

TEST_CASE("An alive's word and uid are told apart at the last colon") {
  CHECK(parse_alive("alive:n1").uid == "n1");
  CHECK(parse_alive("Alive:a:b:c").uid == "c");
  CHECK(parse_alive("reset:n1").reset);
  CHECK(parse_alive("resetting:n1").reset);
  CHECK_FALSE(parse_alive("Reset:n1").reset);
  CHECK(parse_alive("").uid.empty());
  CHECK(parse_alive("alive").uid.empty());
  CHECK(parse_alive("alive:").uid.empty());
}

TEST_CASE("A uid is 1 to 64 printable characters") {
  CHECK(is_uid("a"));
  CHECK(is_uid("node 1/x"));
  CHECK(is_uid(std::string(64, 'x')));
  CHECK(is_uid("\xE6\xB8\xA9\xE5\xBA\xA6"));
  CHECK_FALSE(is_uid(""));
  CHECK_FALSE(is_uid(std::string(65, 'x')));
  CHECK_FALSE(is_uid("a\tb"));
  CHECK_FALSE(is_uid("a\x7F"));
  CHECK_FALSE(is_uid("a\xC2\x85"));         // a C1 control
  CHECK_FALSE(is_uid("a\xE2\x80\x8B"));     // a zero-width space
  CHECK_FALSE(is_uid("\xC0\xAF"));          // overlong
  CHECK_FALSE(is_uid("\xED\xA0\x80"));      // a surrogate
  CHECK_FALSE(is_uid("\xF4\x90\x80\x80"));  // beyond Unicode
  std::string wide;
  for (int i = 0; i < 43; ++i) wide += "\xE6\xB8\xA9";
  CHECK_FALSE(is_uid(wide));  // 43 characters, but more bytes than the broker takes
}

TEST_CASE("Name-based uids are RFC 4122 version 5") {
  const auto uid = make_uid("site", "CoAP", "host:5683");
  REQUIRE(uid.size() == 36);
  CHECK(uid[14] == '5');
  CHECK(std::string("89ab").find(uid[19]) != std::string::npos);
  CHECK(uid == make_uid("site", "CoAP", "host:5683"));
  CHECK(make_uid("a", "b", "c") != make_uid("a", "bc", ""));
}
