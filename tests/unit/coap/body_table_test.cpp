#include "core/coap/body_table.h"

#include <catch2/catch.hpp>
#include <string>

using namespace aiot;
using namespace aiot::coap;
using namespace std::chrono_literals;

namespace {
const TimePoint kStart{1000s};
}

TEST_CASE("slices cover a payload without gap or overlap") {
  const std::string payload(5000, 'x');
  for (std::uint8_t szx = 0; szx <= 6; ++szx) {
    std::size_t covered = 0;
    for (std::uint32_t number = 0;; ++number) {
      const auto piece = slice(payload, {number, false, szx}, 6);
      REQUIRE(piece);
      REQUIRE(piece->block.number == number);
      covered += piece->payload.size();
      if (!piece->block.more) break;
      REQUIRE(piece->payload.size() == piece->block.size());
    }
    REQUIRE(covered == payload.size());
  }
}

TEST_CASE("a slice beyond the end is none, and an exact multiple ends with its last full block") {
  const std::string payload(64, 'x');
  CHECK_FALSE(slice(payload, {1, false, 2}, 6));
  CHECK_FALSE(slice(payload, {Block::kMaxNumber, false, 6}, 6));
  REQUIRE(slice(payload, {1, false, 1}, 6));
  CHECK_FALSE(slice(payload, {1, false, 1}, 6)->block.more);
  REQUIRE(slice("", {0, false, 6}, 6));
  CHECK_FALSE(slice("", {0, false, 6}, 6)->block.more);
}

TEST_CASE("a number in blocks larger than ours is translated") {
  const std::string payload(4096, 'x');
  const auto piece = slice(payload, {2, false, Block::kBert}, 5);
  REQUIRE(piece);
  CHECK(piece->block == Block{4, true, 5});
}

TEST_CASE("bodies are bounded in number and bytes, and expire when idle") {
  BodyTable table;
  for (unsigned i = 0; i < 2 * BodyTable::kMaxBodies; ++i)
    table.put(std::to_string(i), {0x45, {}, {}, "e", "payload"}, kStart);
  CHECK(table.size() == BodyTable::kMaxBodies);
  CHECK(table.get("0", kStart) == nullptr);
  const auto newest = std::to_string(2 * BodyTable::kMaxBodies - 1);
  REQUIRE(table.get(newest, kStart + 59s) != nullptr);
  CHECK(table.get(std::to_string(2 * BodyTable::kMaxBodies - 2), kStart + 60s) == nullptr);
  REQUIRE(table.get(newest, kStart + 60s) != nullptr);

  for (unsigned i = 0; i < 40; ++i)
    table.put("big" + std::to_string(i), {0x45, {}, {}, "e", std::string(1024 * 1024, 'x')}, kStart + 60s);
  CHECK(table.size() <= BodyTable::kMaxBytes / (1024 * 1024));
  table.put("huge", {0x45, {}, {}, "e", std::string(BodyTable::kMaxBytes + 1, 'x')}, kStart + 60s);
  CHECK(table.get("huge", kStart + 60s) == nullptr);
  table.put("big39", {0x45, {}, {}, "new", "small"}, kStart + 60s);
  CHECK(table.get("big39", kStart + 60s)->etag == "new");
}
