#include "core/coap/hello_gate.h"

#include <catch2/catch.hpp>

#include "core/coap/dtls_hello.h"

namespace aiot::coap {
namespace {

using Verdict = HelloGate::Verdict;
using namespace std::chrono_literals;

const TimePoint kStart{1000s};

SocketAddress at(int port, int host = 7) {
  return *SocketAddress::parse("192.0.2." + std::to_string(host) + ":" + std::to_string(port));
}

std::string bytes(std::initializer_list<int> values) { return {values.begin(), values.end()}; }

std::string hello(std::string_view cookie = {}, char random = 'r') {
  std::string body = bytes({0xfe, 0xfd}) + std::string(32, random) + bytes({0});
  body += static_cast<char>(cookie.size());
  body += cookie;
  body += bytes({0, 2, 0xc0, 0xa8, 1, 0});
  const int size = static_cast<int>(body.size());
  return bytes({22, 0xfe, 0xff, 0,    0, 0, 0, 0, 0, 0, 5, 0,   size + 12,
                1,  0,    0,    size, 0, 1, 0, 0, 0, 0, 0, size}) +
         body;
}

/// The cookie in a HelloVerifyRequest.
std::string cookie_in(const std::string& answer) { return answer.substr(28); }

/// What a peer does that shows the cookie it is asked for.
Verdict knock(HelloGate& gate, const SocketAddress& peer, TimePoint now) {
  const auto asked = gate.judge(hello(), peer, false, 0, now);
  REQUIRE(asked.verdict == Verdict::ask);
  return gate.judge(hello(cookie_in(asked.answer)), peer, false, 0, now).verdict;
}

TEST_CASE("A hello's fields are found, and asked for again") {
  const auto datagram = hello("abc");
  const auto found = parse_hello(datagram);
  REQUIRE(found);
  CHECK(found->cookie == "abc");
  CHECK(found->record_sequence == bytes({0, 0, 0, 0, 0, 5}));
  CHECK(found->message_sequence == bytes({0, 1}));
  CHECK(hello_verify_request(*found, "xy") == bytes({22, 0xfe, 0xff, 0, 0, 0, 0, 0, 0, 0, 5, 0,    17,   3,
                                                     0,  0,    5,    0, 1, 0, 0, 0, 0, 0, 5, 0xfe, 0xff, 2}) +
                                                  "xy");
}

TEST_CASE("What is cut, later or something else is no hello") {
  const auto whole = hello("abc");
  for (std::size_t size = 0; size < 13 + 12 + 34 + 1 + 4; ++size)
    CHECK_FALSE(parse_hello(whole.substr(0, size)));
  auto other = whole;
  other[0] = 23;
  CHECK_FALSE(is_hello(other));
  other = whole;
  other[4] = 1;  // epoch
  CHECK_FALSE(is_hello(other));
  other = whole;
  other[21] = 9;  // fragment offset
  CHECK(is_hello(other));
  CHECK_FALSE(parse_hello(other));
}

TEST_CASE("A stranger is asked for a cookie, with less than it brought, and is not remembered") {
  HelloGate gate;
  const auto asked = gate.judge(hello("0123456789"), at(1), false, 0, kStart);
  CHECK(asked.verdict == Verdict::ask);
  CHECK(asked.answer.size() <= hello().size());
  CHECK(gate.size() == 0);
  CHECK(gate.judge(hello(cookie_in(asked.answer)), at(1), false, 0, kStart).verdict == Verdict::begin);
  CHECK(gate.under_way(at(1)));
  CHECK(gate.judge(hello(cookie_in(asked.answer)), at(1), true, 0, kStart).verdict == Verdict::pass);
}

TEST_CASE("A cookie is good for its peer and its time") {
  HelloGate gate;
  const auto cookie = cookie_in(gate.judge(hello(), at(1), false, 0, kStart).answer);
  CHECK(gate.judge(hello(cookie), at(2), false, 0, kStart).verdict == Verdict::ask);
  CHECK(gate.judge(hello(cookie), at(1, 8), false, 0, kStart).verdict == Verdict::ask);
  CHECK(gate.judge(hello(cookie), at(1), false, 0, kStart + HelloGate::kSecretLife).verdict ==
        Verdict::begin);
  gate.ended(at(1));
  CHECK(gate.judge(hello(cookie), at(1), false, 0, kStart + 2 * HelloGate::kSecretLife).verdict ==
        Verdict::ask);
}

TEST_CASE("Anything but a hello passes for those who are known alone") {
  HelloGate gate;
  CHECK(gate.judge(bytes({23, 0xfe, 0xfd, 0, 1}), at(1), true, 0, kStart).verdict == Verdict::pass);
  CHECK(gate.judge(bytes({23, 0xfe, 0xfd, 0, 1}), at(1), false, 0, kStart).verdict == Verdict::drop);
  CHECK(gate.judge({}, at(1), false, 0, kStart).verdict == Verdict::drop);
}

TEST_CASE("A late copy of the hello that a session began with ends nothing, another does") {
  HelloGate gate;
  const auto cookie = cookie_in(gate.judge(hello(), at(1), false, 0, kStart).answer);
  REQUIRE(gate.judge(hello(cookie), at(1), false, 0, kStart).verdict == Verdict::begin);
  const auto began = gate.ended(at(1));
  REQUIRE(began != 0);
  CHECK(gate.judge(hello(cookie), at(1), true, began, kStart).verdict == Verdict::pass);
  CHECK(gate.judge(hello(cookie, 's'), at(1), true, began, kStart).verdict == Verdict::begin);
}

TEST_CASE("One host begins so many handshakes at a time, and others theirs") {
  HelloGate gate;
  for (int port = 1; port <= static_cast<int>(HelloGate::kMaxFromHost); ++port)
    CHECK(knock(gate, at(port), kStart) == Verdict::begin);
  CHECK(knock(gate, at(99), kStart) == Verdict::drop);
  CHECK(knock(gate, at(99, 8), kStart) == Verdict::begin);
  gate.ended(at(1));
  gate.ended(at(1));
  CHECK(knock(gate, at(99), kStart) == Verdict::begin);
  CHECK(knock(gate, at(100), kStart) == Verdict::drop);
  gate.expire(kStart + HelloGate::kHandshake);
  CHECK(gate.size() == 0);
  CHECK(knock(gate, at(100), kStart) == Verdict::begin);
}

}  // namespace
}  // namespace aiot::coap
