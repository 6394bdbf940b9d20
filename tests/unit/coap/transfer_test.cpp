#include "core/coap/transfer.h"

#include <catch2/catch.hpp>

using namespace aiot;
using coap::Block;
using coap::code;
using coap::Message;
using coap::Transfer;
namespace option = coap::option;
using Step = Transfer::Step;

namespace {

constexpr std::uint8_t kGet = code(0, 1);
constexpr std::uint8_t kPut = code(0, 3);

Message answer(std::uint8_t code, std::string payload = {}) {
  Message message;
  message.code = code;
  message.payload = std::move(payload);
  return message;
}
Message block2(std::uint32_t number, bool more, std::uint8_t szx, std::string payload,
               std::string etag = "e") {
  auto message = answer(code(2, 5), std::move(payload));
  message.add(option::kEtag, std::move(etag));
  message.add_uint(option::kBlock2, Block{number, more, szx}.encode());
  return message;
}
Message block1(std::uint8_t code, std::uint32_t number, bool more, std::uint8_t szx) {
  auto message = answer(code);
  message.add_uint(option::kBlock1, Block{number, more, szx}.encode());
  return message;
}
Block sent(const Transfer& transfer, std::uint16_t number) {
  const auto value = transfer.next().uint_option(number);
  REQUIRE(value);
  return Block::decode(static_cast<std::uint32_t>(*value));
}

}  // namespace

TEST_CASE("a small request and answer are one message each way") {
  Transfer transfer(kPut, {{option::kUriPath, "a"}}, "x", {});
  const auto message = transfer.next();
  CHECK(message.payload == "x");
  CHECK_FALSE(message.uint_option(option::kBlock1));
  CHECK_FALSE(message.uint_option(option::kObserve));
  CHECK(transfer.take(answer(code(2, 4), "ok")) == Step::done);
  CHECK(transfer.answer().payload == "ok");
}

TEST_CASE("an answer comes down block by block") {
  Transfer transfer(kGet, {}, "", {});
  transfer.set_observe();
  CHECK(transfer.next().uint_option(option::kObserve) == 0u);
  auto first = block2(0, true, 0, std::string(16, 'a'));
  first.add_uint(option::kObserve, 7);
  CHECK(transfer.take(first) == Step::send);
  // Only the first message registers (RFC 7959 section 2.6).
  CHECK_FALSE(transfer.next().uint_option(option::kObserve));
  CHECK(sent(transfer, option::kBlock2) == Block{1, false, 0});
  CHECK(transfer.take(block2(1, false, 0, "end")) == Step::done);
  CHECK(transfer.answer().payload == std::string(16, 'a') + "end");
  CHECK(transfer.answer().uint_option(option::kObserve) == 7u);
}

TEST_CASE("a peer may go on in smaller blocks") {
  Transfer transfer(kGet, {}, "", {});
  CHECK(transfer.take(block2(0, true, 2, std::string(64, 'a'))) == Step::send);
  CHECK(transfer.take(block2(4, true, 0, std::string(16, 'b'))) == Step::send);
  CHECK(sent(transfer, option::kBlock2) == Block{5, false, 0});
}

TEST_CASE("blocks that cannot be are failures of the peer") {
  Transfer transfer(kGet, {}, "", {});
  SECTION("too short") { CHECK(transfer.take(block2(0, true, 2, "short")) == Step::failed); }
  SECTION("too long") { CHECK(transfer.take(block2(0, false, 0, std::string(17, 'x'))) == Step::failed); }
  SECTION("empty with more") { CHECK(transfer.take(block2(0, true, 0, "")) == Step::failed); }
  SECTION("not the first") { CHECK(transfer.take(block2(3, false, 0, "x")) == Step::failed); }
  SECTION("a size that datagrams do not have") {
    CHECK(transfer.take(block2(0, false, 7, "x")) == Step::failed);
  }
  SECTION("an option of four bytes") {
    auto message = answer(code(2, 5), "x");
    message.add(option::kBlock2, "\1\1\1\1");
    CHECK(transfer.take(message) == Step::failed);
  }
  SECTION("the whole instead of a later block") {
    CHECK(transfer.take(block2(0, true, 0, std::string(16, 'a'))) == Step::send);
    CHECK(transfer.take(answer(code(2, 5), "whole")) == Step::failed);
  }
  CHECK(transfer.error().code == Errc::peer_failed);
}

TEST_CASE("an error in the middle is the answer") {
  Transfer transfer(kGet, {}, "", {});
  CHECK(transfer.take(block2(0, true, 0, std::string(16, 'a'))) == Step::send);
  CHECK(transfer.take(answer(code(4, 4), "gone")) == Step::done);
  CHECK(transfer.answer().code == code(4, 4));
}

TEST_CASE("on a stream blocks of 1024 come many at a time") {
  Transfer::Limits limits;
  limits.reliable = true;
  Transfer transfer(kGet, {}, "", limits);
  CHECK(transfer.take(block2(0, true, 7, std::string(3072, 'a'))) == Step::send);
  CHECK(sent(transfer, option::kBlock2) == Block{3, false, 6});
  CHECK(transfer.take(block2(3, false, 7, "z")) == Step::done);
  CHECK(transfer.answer().payload.size() == 3073);
}

TEST_CASE("a request goes up block by block, the last with the answer") {
  Transfer transfer(kPut, {}, std::string(2500, 'p'), {});
  CHECK(sent(transfer, option::kBlock1) == Block{0, true, 6});
  CHECK(transfer.next().uint_option(option::kSize1) == 2500u);
  CHECK(transfer.take(block1(code(2, 31), 0, true, 6)) == Step::send);
  CHECK_FALSE(transfer.next().uint_option(option::kSize1));
  CHECK(transfer.take(block1(code(2, 31), 1, true, 6)) == Step::send);
  CHECK(sent(transfer, option::kBlock1) == Block{2, false, 6});
  CHECK(transfer.next().payload.size() == 2500 - 2048);
  CHECK(transfer.take(block1(code(2, 4), 2, false, 6)) == Step::done);
}

TEST_CASE("confirmations that cannot be are failures of the peer") {
  Transfer transfer(kPut, {}, std::string(2500, 'p'), {});
  SECTION("of another block") { CHECK(transfer.take(block1(code(2, 31), 1, true, 6)) == Step::failed); }
  SECTION("of the whole after the first") { CHECK(transfer.take(answer(code(2, 4))) == Step::failed); }
  SECTION("continue after the last") {
    Transfer small(kPut, {}, "p", {});
    CHECK(small.take(answer(code(2, 31))) == Step::failed);
  }
}

TEST_CASE("a large answer to a large request comes down after it went up") {
  Transfer transfer(code(0, 2), {}, std::string(1500, 'p'), {});
  CHECK(transfer.take(block1(code(2, 31), 0, true, 6)) == Step::send);
  auto last = block1(code(2, 4), 1, false, 6);
  last.add(option::kEtag, "e");
  last.add_uint(option::kBlock2, Block{0, true, 0}.encode());
  last.payload = std::string(16, 'a');
  CHECK(transfer.take(last) == Step::send);
  CHECK(transfer.next().payload.empty());
  CHECK_FALSE(transfer.next().uint_option(option::kBlock1));
  CHECK(transfer.take(block2(1, false, 0, "b")) == Step::done);
  CHECK(transfer.answer().payload == std::string(16, 'a') + "b");
}

TEST_CASE("a write is not repeated because its answer changed while it was read") {
  Transfer transfer(code(0, 2), {}, "p", {});
  CHECK(transfer.take(block2(0, true, 0, std::string(16, 'a'), "one")) == Step::send);
  CHECK(transfer.take(block2(1, false, 0, "b", "two")) == Step::failed);
}
