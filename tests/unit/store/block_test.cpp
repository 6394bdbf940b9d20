#include "daemon/store/block.h"

#include <catch2/catch.hpp>
#include <random>
#include <vector>

#include "daemon/store/arrival.h"
#include "daemon/store/head.h"

using namespace aiot;
using namespace aiot::store;

namespace {

ValueView value_at(std::int64_t time, std::string_view bytes) {
  ValueView value;
  value.time = to_time(time);
  value.bytes = bytes;
  return value;
}

const std::vector<std::int64_t> kTimes{0, 1, -1, 1'769'860'800'000, INT64_MAX, INT64_MIN, 5};

}  // namespace

TEST_CASE("Numbers and texts of any size are read as they were written") {
  std::string bytes;
  const std::vector<std::uint64_t> numbers{0, 1, 127, 128, 16'383, 16'384, UINT64_MAX - 1, UINT64_MAX};
  for (const auto number : numbers) put_varint(bytes, number);
  put_text(bytes, "");
  put_text(bytes, "text");
  ByteReader reader(bytes);
  for (const auto number : numbers) CHECK(reader.varint() == number);
  CHECK(reader.text().empty());
  CHECK(reader.text() == "text");
  CHECK(reader.good());
  CHECK(reader.at_end());
  for (const auto time : kTimes) CHECK(unzigzag(zigzag(time)) == time);
}

TEST_CASE("A number that does not fit, or that ends too early, is bad") {
  for (const std::string& bytes :
       {std::string(), std::string("\x80"), std::string(10, '\xff'), std::string(9, '\x80') + "\x02"}) {
    ByteReader reader(bytes);
    CHECK(reader.varint() == 0);
    CHECK_FALSE(reader.good());
  }
  ByteReader text(
      "\x05"
      "abc");
  CHECK(text.text().empty());
  CHECK_FALSE(text.good());
  ByteReader small("\x05");
  CHECK(small.varint(4) == 0);
  CHECK_FALSE(small.good());
}

TEST_CASE("A block gives its points back, and knows their times") {
  Block block;
  for (const auto time : kTimes) {
    const std::string bytes = "v" + std::to_string(time);
    auto value = value_at(time, bytes);
    if (time == 1) value.content_format = 60;
    value.raw_json = time == 5;
    value.time_uncertain = time == -1;
    block.append(value);
  }
  CHECK(block.first == to_time(INT64_MIN));
  CHECK(block.last == to_time(INT64_MAX));
  CHECK(block.end == to_time(5));
  CHECK(block.count == kTimes.size());
  const auto unpacked = unpack_points(pack_points(block.points));
  REQUIRE(unpacked);
  CHECK(*unpacked == block.points);
  std::size_t i = 0;
  CHECK(each_point(*unpacked, block.count, [&](const ValueView& value) {
    CHECK(value.time == to_time(kTimes[i]));
    CHECK(value.bytes == "v" + std::to_string(kTimes[i]));
    CHECK(value.content_format.has_value() == (kTimes[i] == 1));
    CHECK(value.raw_json == (kTimes[i] == 5));
    CHECK(value.time_uncertain == (kTimes[i] == -1));
    ++i;
  }));
  CHECK(i == kTimes.size());
  i = 0;
  CHECK(each_point(*unpacked, 2, [&](const ValueView&) { ++i; }));
  CHECK(i == 2);
}

TEST_CASE("Packed points that are cut short, changed or much too large are refused") {
  Block block;
  for (int i = 0; i < 100; ++i) block.append(value_at(i * 1000, std::to_string(i)));
  const std::string packed = pack_points(block.points);
  for (std::size_t size = 0; size < packed.size(); ++size) CHECK_FALSE(unpack_points(packed.substr(0, size)));
  for (std::size_t i = 0; i < packed.size(); ++i) {
    std::string changed = packed;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    const auto unpacked = unpack_points(changed);
    CHECK((!unpacked || *unpacked == block.points));
  }
  CHECK_FALSE(unpack_points(pack_points(std::string(kMaxPacked + 1, 'x'))));
}

TEST_CASE("A log that is cut anywhere gives whole records only") {
  std::string log;
  WallTime previous{};
  put_record(log, RecordKind::update, 300, value_at(1'769'860'800'000, "23"), previous);
  put_record(log, RecordKind::clear, 1, {}, previous);
  put_record(log, RecordKind::last_value, 2, value_at(1'769'860'800'001, ""), previous);
  std::vector<std::pair<RecordKind, std::uint32_t>> seen;
  CHECK(each_record(log, [&](const Record& record) { seen.emplace_back(record.kind, record.id); }));
  CHECK(seen == std::vector<std::pair<RecordKind, std::uint32_t>>{
                    {RecordKind::update, 300}, {RecordKind::clear, 1}, {RecordKind::last_value, 2}});
  for (std::size_t size = 0; size < log.size(); ++size) {
    std::size_t count = 0;
    each_record(log.substr(0, size), [&](const Record&) { ++count; });
    CHECK(count < 3);
  }
  CHECK_FALSE(each_record("\x18\x01", [](const Record&) {}));
  CHECK(checksum(log) != checksum(log.substr(1)));
}

TEST_CASE("What a checkpoint has written is not taken from the log again") {
  Head head;
  head.add(1, 9);
  head.add(2, 9, 5);
  std::string log;
  WallTime previous{};
  put_record(log, RecordKind::update, 1, value_at(10, "a"), previous);
  put_record(log, RecordKind::update, 2, value_at(10, "b"), previous);
  put_record(log, RecordKind::update, 3, value_at(10, "of nobody"), previous);
  CHECK(head.apply(log, 5));
  CHECK(head.points() == 1);
  CHECK(head.find(2)->points.empty());
  CHECK(head.find(3) == nullptr);
  CHECK(head.freeze() == std::vector<SeriesId>{1});
  CHECK(head.apply(log, 6));
  CHECK(head.points() == 3);
  CHECK(head.find(1)->frozen.count == 1);
  CHECK(head.find(1)->points.count == 1);
  head.written(1);
  CHECK(head.points() == 2);
  head.remove(9);
  CHECK(head.points() == 0);
  CHECK(head.find(1) == nullptr);
}
