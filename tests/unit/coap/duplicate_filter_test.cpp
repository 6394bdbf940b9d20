#include "core/coap/duplicate_filter.h"

#include <catch2/catch.hpp>
#include <string>

using namespace aiot;
using namespace aiot::coap;
using namespace std::chrono_literals;

namespace {

const TimePoint kStart{1000s};

SocketAddress peer(unsigned number) {
  return *SocketAddress::parse("10." + std::to_string(number >> 16 & 255) + "." +
                               std::to_string(number >> 8 & 255) + "." + std::to_string(number & 255) +
                               ":5683");
}

AnswerView answer(std::string_view payload, std::uint8_t code = 0x44) {
  AnswerView out;
  out.code = code;
  out.payload = payload;
  return out;
}

std::uint32_t print(std::string_view payload, std::string_view token = "t") {
  return DuplicateFilter::fingerprint(token, payload);
}

}  // namespace

TEST_CASE("a message is fresh once, and its repeat gets the same answer") {
  DuplicateFilter filter(16, 64);
  const auto first = filter.note(peer(1), 7, print("a:1"), kStart);
  REQUIRE(first.fresh);
  CHECK(filter.repeat(first).state == DuplicateFilter::State::pending);
  filter.answered(first, answer("Received 'a:1'"), "a:1");

  const auto again = filter.note(peer(1), 7, print("a:1"), kStart + 2s);
  REQUIRE_FALSE(again.fresh);
  const auto repeat = filter.repeat(again);
  REQUIRE(repeat.state == DuplicateFilter::State::answered);
  REQUIRE(repeat.answer != nullptr);
  std::string scratch;
  const auto view = repeat.answer->view("a:1", scratch);
  CHECK(view.code == 0x44);
  CHECK(view.payload == "Received 'a:1'");
}

TEST_CASE("the same id from another peer, with another token or another payload is another message") {
  DuplicateFilter filter(16, 64);
  REQUIRE(filter.note(peer(1), 7, print("alive:x"), kStart).fresh);
  CHECK(filter.note(peer(2), 7, print("alive:x"), kStart).fresh);
  CHECK(filter.note(peer(1), 7, print("alive:x", "u"), kStart).fresh);
  CHECK(filter.note(peer(1), 7, print("reset:x"), kStart).fresh);
  CHECK_FALSE(filter.note(peer(1), 7, print("alive:x"), kStart).fresh);
}

TEST_CASE("fingerprints tell token from payload") {
  CHECK(print("b", "a") != print("a", "b"));
  CHECK(print("", "ab") != print("ab", ""));
  CHECK(print("12345678", "") != print("", "12345678"));
}

TEST_CASE("a fast peer that wraps its ids is not taken for a repeater, and its last 64 are known") {
  DuplicateFilter filter(16, 64);
  for (unsigned i = 0; i < 200'000; ++i)
    REQUIRE(filter.note(peer(1), static_cast<std::uint16_t>(i), print("same"), kStart).fresh);
  for (unsigned i = 200'000 - 64; i < 200'000; ++i)
    REQUIRE_FALSE(filter.note(peer(1), static_cast<std::uint16_t>(i), print("same"), kStart).fresh);
  CHECK(filter.note(peer(1), static_cast<std::uint16_t>(200'000 - 65), print("same"), kStart).fresh);
}

TEST_CASE("rings that grow keep what they hold") {
  for (const std::size_t ids : {1U, 3U, 4U, 5U, 64U, 100U}) {
    DuplicateFilter filter(4, ids);
    for (unsigned i = 0; i < ids; ++i) {
      const auto slot = filter.note(peer(1), static_cast<std::uint16_t>(i), print(std::to_string(i)), kStart);
      REQUIRE(slot.fresh);
      filter.answered(slot, answer("answer " + std::to_string(i)), {});
      for (unsigned j = 0; j <= i; ++j) {
        const auto again =
            filter.note(peer(1), static_cast<std::uint16_t>(j), print(std::to_string(j)), kStart);
        REQUIRE_FALSE(again.fresh);
        const auto repeat = filter.repeat(again);
        REQUIRE(repeat.answer != nullptr);
        REQUIRE(repeat.answer->before == "answer " + std::to_string(j));
      }
    }
    REQUIRE(filter.note(peer(1), 999, print("x"), kStart).fresh);
    CHECK(filter.note(peer(1), 0, print("0"), kStart).fresh);  // pushed out
  }
}

TEST_CASE("what is older than EXCHANGE_LIFETIME is new again") {
  DuplicateFilter filter(4, 64);
  filter.note(peer(1), 1, print("a"), kStart);
  filter.note(peer(1), 2, print("b"), kStart + 200s);
  CHECK_FALSE(filter.note(peer(1), 1, print("a"), kStart + 247s).fresh);
  CHECK(filter.note(peer(1), 1, print("a"), kStart + 248s).fresh);
  CHECK_FALSE(filter.note(peer(1), 2, print("b"), kStart + 248s).fresh);
  CHECK(filter.note(peer(1), 2, print("b"), kStart + 248s + 65536s).fresh);
  CHECK(filter.note(peer(1), 1, print("a"), kStart + 2 * 65536s + 1s).fresh);
}

TEST_CASE("the peer not heard for longest makes way for a new one") {
  DuplicateFilter filter(3, 64);
  filter.note(peer(1), 1, print("a"), kStart);
  filter.note(peer(2), 1, print("a"), kStart + 1s);
  filter.note(peer(3), 1, print("a"), kStart + 2s);
  CHECK_FALSE(filter.note(peer(1), 1, print("a"), kStart + 3s).fresh);
  CHECK(filter.note(peer(4), 1, print("a"), kStart + 4s).fresh);
  CHECK(filter.peers() == 3);
  CHECK_FALSE(filter.note(peer(1), 1, print("a"), kStart + 5s).fresh);
  CHECK_FALSE(filter.note(peer(3), 1, print("a"), kStart + 5s).fresh);
  CHECK(filter.note(peer(2), 1, print("a"), kStart + 5s).fresh);
}

TEST_CASE("a slot whose peer or id was pushed out names nothing") {
  DuplicateFilter filter(1, 1);
  const auto slot = filter.note(peer(1), 1, print("a"), kStart);
  filter.note(peer(1), 2, print("b"), kStart);
  filter.answered(slot, answer("late"), {});
  CHECK(filter.repeat(filter.note(peer(1), 2, print("b"), kStart)).state == DuplicateFilter::State::pending);
  filter.note(peer(2), 1, print("c"), kStart);
  filter.answered(slot, answer("later"), {});
  CHECK(filter.repeat(filter.note(peer(2), 1, print("c"), kStart)).state == DuplicateFilter::State::pending);
}

TEST_CASE("a separate answer is remembered as such, and a forgotten message is new") {
  DuplicateFilter filter(4, 4);
  const auto slot = filter.note(peer(1), 1, print("a"), kStart);
  filter.answered_separately(slot);
  CHECK(filter.repeat(slot).state == DuplicateFilter::State::separate);
  filter.forget(slot);
  CHECK(filter.note(peer(1), 1, print("a"), kStart).fresh);
}

TEST_CASE("50,000 peers with 64 ids each stay below 60 MB") {
  DuplicateFilter filter(65'536, 64);
  std::string payload;
  for (unsigned id = 0; id < 64; ++id) {
    for (unsigned number = 0; number < 50'000; ++number) {
      payload = "temperature:" + std::to_string(number % 977);
      const auto slot = filter.note(peer(number), static_cast<std::uint16_t>(id), print(payload), kStart);
      filter.answered(slot, answer("Received '" + payload + "'"), payload);
    }
  }
  CHECK(filter.memory() < 60'000'000);
  CHECK(filter.pool().size() == 1);
  CHECK(filter.peers() == 50'000);
}
