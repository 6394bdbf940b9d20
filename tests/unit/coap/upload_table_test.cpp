#include "core/coap/upload_table.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

using namespace aiot;
using namespace aiot::coap;
using namespace std::chrono_literals;
using Status = UploadTable::Status;

namespace {

const TimePoint kStart{1000s};

std::string body_of(std::size_t size) {
  std::string out(size, '\0');
  for (std::size_t i = 0; i < size; ++i) out[i] = static_cast<char>(i * 7 + i / 251);
  return out;
}

struct Piece {
  Block block;
  std::string_view payload;
};

std::vector<Piece> pieces(std::string_view body, std::uint8_t szx) {
  std::vector<Piece> out;
  const Block first{0, false, szx};
  for (std::size_t at = 0; at < body.size() || at == 0; at += first.size()) {
    const auto number = static_cast<std::uint32_t>(at / first.size());
    out.push_back({{number, at + first.size() < body.size(), szx}, body.substr(at, first.size())});
  }
  return out;
}

UploadTable::Outcome add(UploadTable& table, const Piece& piece, const std::string& key = "k",
                         TimePoint now = kStart) {
  return table.add(key, piece.block, piece.payload, std::nullopt, std::nullopt, now);
}

}  // namespace

TEST_CASE("blocks in order make the body, whatever their size") {
  for (std::uint8_t szx = 0; szx <= 6; ++szx) {
    for (const std::size_t size : {17U, 1024U, 1025U, 5000U}) {
      UploadTable table({});
      const auto body = body_of(size);
      const auto all = pieces(body, szx);
      for (std::size_t i = 0; i + 1 < all.size(); ++i) REQUIRE(add(table, all[i]).status == Status::more);
      const auto last = add(table, all.back());
      REQUIRE(last.status == Status::whole);
      REQUIRE(last.body == body);
      REQUIRE(table.size() == 0);
    }
  }
}

TEST_CASE("after the first, blocks may come in any order and repeatedly") {
  std::mt19937 random(7);
  const auto body = body_of(5000);
  for (int round = 0; round < 50; ++round) {
    UploadTable table({});
    auto all = pieces(body, 4);
    REQUIRE(add(table, all.front()).status == Status::more);
    std::shuffle(all.begin() + 1, all.end(), random);
    std::size_t kept = 1;
    bool last_seen = false;
    for (std::size_t i = 1; i < all.size(); ++i) {
      const auto outcome = add(table, all[i]);
      last_seen = last_seen || !all[i].block.more;
      if (++kept == all.size()) {
        REQUIRE(outcome.status == Status::whole);
        REQUIRE(outcome.body == body);
        break;
      }
      REQUIRE(outcome.status == (all[i].block.more ? Status::more : Status::incomplete));
      REQUIRE(add(table, all[i]).status == (all[i].block.more ? Status::more : Status::incomplete));
    }
    REQUIRE(last_seen);
  }
}

TEST_CASE("the block size may change on the way, and overlapping blocks must agree") {
  const auto body = body_of(300);
  UploadTable table({});
  REQUIRE(add(table, {{0, true, 3}, std::string_view(body).substr(0, 128)}).status == Status::more);
  REQUIRE(add(table, {{7, true, 0}, std::string_view(body).substr(112, 16)}).status == Status::more);
  REQUIRE(add(table, {{2, true, 2}, std::string_view(body).substr(128, 64)}).status == Status::more);
  REQUIRE(add(table, {{1, true, 3}, std::string_view(body).substr(128, 128)}).status == Status::more);
  const auto last = add(table, {{2, false, 3}, std::string_view(body).substr(256)});
  REQUIRE(last.status == Status::whole);
  CHECK(last.body == body);

  REQUIRE(add(table, {{0, true, 0}, "0123456789abcdef"}).status == Status::more);
  REQUIRE(add(table, {{1, true, 0}, "0123456789abcdef"}).status == Status::more);
  CHECK(add(table, {{1, true, 0}, "0123456789abcdeX"}).status == Status::incomplete);
  CHECK(table.size() == 0);
}

TEST_CASE("a fragment of an unknown upload is incomplete") {
  UploadTable table({});
  CHECK(add(table, {{1, true, 0}, "0123456789abcdef"}).status == Status::incomplete);
  CHECK(add(table, {{1, false, 0}, "0123"}).status == Status::incomplete);
  REQUIRE(add(table, {{0, true, 0}, "0123456789abcdef"}, "mine").status == Status::more);
  CHECK(add(table, {{1, false, 0}, "x"}, "other").status == Status::incomplete);
  CHECK(add(table, {{1, false, 0}, "x"}, "mine").status == Status::whole);
}

TEST_CASE("the first block again starts anew, unless it is the same") {
  UploadTable table({});
  REQUIRE(add(table, {{0, true, 0}, "0123456789abcdef"}).status == Status::more);
  REQUIRE(add(table, {{1, true, 0}, "0123456789abcdef"}).status == Status::more);
  REQUIRE(add(table, {{0, true, 0}, "0123456789abcdef"}).status == Status::more);
  REQUIRE(add(table, {{2, false, 0}, "!"}).body == "0123456789abcdef0123456789abcdef!");

  REQUIRE(add(table, {{0, true, 0}, "0123456789abcdef"}).status == Status::more);
  REQUIRE(add(table, {{1, true, 0}, "0123456789abcdef"}).status == Status::more);
  REQUIRE(add(table, {{0, true, 0}, "FEDCBA9876543210"}).status == Status::more);
  CHECK(add(table, {{2, false, 0}, "!"}).status == Status::incomplete);
  CHECK(add(table, {{1, true, 0}, "fedcba9876543210"}).body == "FEDCBA9876543210fedcba9876543210!");
}

TEST_CASE("blocks that are not the last must be full, and the last not longer than a block") {
  UploadTable table({});
  CHECK(add(table, {{0, true, 0}, "short"}).status == Status::malformed);
  CHECK(add(table, {{0, true, 0}, ""}).status == Status::malformed);
  REQUIRE(add(table, {{0, true, 0}, "0123456789abcdef"}).status == Status::more);
  CHECK(add(table, {{1, false, 0}, "0123456789abcdef0"}).status == Status::malformed);
  CHECK(table.size() == 0);
}

TEST_CASE("a body beyond the limit is too large, as soon as that is known") {
  UploadTable table({256, 64, 60s});
  const auto body = body_of(65);
  const auto all = pieces(body, 0);
  for (std::size_t i = 0; i + 1 < all.size(); ++i) REQUIRE(add(table, all[i]).status == Status::more);
  CHECK(add(table, all.back()).status == Status::too_large);
  CHECK(table.size() == 0);
  CHECK(table.add("k", {0, true, 0}, "0123456789abcdef", 65, std::nullopt, kStart).status ==
        Status::too_large);
  CHECK(add(table, {{Block::kMaxNumber, false, 6}, "x"}).status == Status::too_large);
  const auto exact = body_of(64);
  const auto four = pieces(exact, 0);
  for (std::size_t i = 0; i < 3; ++i) REQUIRE(add(table, four[i]).status == Status::more);
  CHECK(add(table, four[3]).body == exact);
}

TEST_CASE("a last block that contradicts what is there ends the upload") {
  UploadTable table({});
  REQUIRE(add(table, {{0, true, 0}, "0123456789abcdef"}).status == Status::more);
  REQUIRE(add(table, {{2, true, 0}, "0123456789abcdef"}).status == Status::more);
  CHECK(add(table, {{1, false, 0}, "x"}).status == Status::incomplete);
  CHECK(table.size() == 0);
  REQUIRE(table.add("k", {0, true, 0}, "0123456789abcdef", std::nullopt, 0, kStart).status == Status::more);
  CHECK(table.add("k", {1, false, 0}, "x", std::nullopt, 60, kStart).status == Status::incomplete);
}

TEST_CASE("idle uploads expire, and a full table refuses unless one has stalled") {
  UploadTable table({2, 1024, 60s});
  const Piece first{{0, true, 0}, "0123456789abcdef"};
  REQUIRE(add(table, first, "a").status == Status::more);
  REQUIRE(add(table, first, "b", kStart + 5s).status == Status::more);
  CHECK(add(table, first, "c", kStart + 6s).status == Status::busy);
  CHECK(add(table, first, "c", kStart + 11s).status == Status::more);
  CHECK(add(table, {{1, false, 0}, "x"}, "a", kStart + 11s).status == Status::incomplete);
  CHECK(add(table, {{1, false, 0}, "x"}, "b", kStart + 64s).status == Status::whole);
  CHECK(table.expire(kStart + 72s) == 1);
  CHECK(table.size() == 0);
}

TEST_CASE("a table for no uploads refuses them all") {
  UploadTable table({0, 1024, 60s});
  CHECK(add(table, {{0, true, 0}, "0123456789abcdef"}).status == Status::busy);
  CHECK(add(table, {{0, false, 0}, "whole"}).body == "whole");
}
