#include <vector>

#include "daemon/store/arrival.h"
#include "daemon/store/block.h"
#include "daemon/store/head.h"
#include "daemon/store/history_query.h"
#include "fuzz.h"

// What the database holds is read whatever it is; what could be read is written the same again, and packed.

using namespace aiot;
using namespace aiot::store;

void fuzz_one(std::string_view input) {
  Head head;
  for (SeriesId id = 0; id < 4; ++id) head.add(id, id % 2, id, input);
  std::string log;
  WallTime previous{};
  std::size_t records = 0;
  each_record(input, [&](const Record& record) {
    put_record(log, record.kind, record.id, record.value, previous);
    ++records;
  });
  std::size_t again = 0;
  FUZZ_CHECK(each_record(log, [&](const Record&) { ++again; }));
  FUZZ_CHECK(again == records);
  head.apply(input, 2);
  std::uint64_t points = 0;
  for (SeriesId id = 0; id < 4; ++id) points += head.find(id)->points.count;
  FUZZ_CHECK(points == head.points());

  Block block;
  each_point(input, UINT32_MAX, [&](const ValueView& value) { block.append(value); });
  std::uint32_t count = 0;
  FUZZ_CHECK(each_point(block.points, UINT32_MAX, [&](const ValueView& value) {
    FUZZ_CHECK(value.time >= block.first && value.time <= block.last);
    ++count;
  }));
  FUZZ_CHECK(count == block.count);
  const auto packed = unpack_points(pack_points(block.points));
  FUZZ_CHECK(block.points.size() > kMaxPacked || (packed && *packed == block.points));

  if (const auto unpacked = unpack_points(input)) FUZZ_CHECK(unpacked->size() <= kMaxPacked);
  if (const auto value = unpack_value(input)) {
    // A number may have been written in more bytes than it needs.
    const std::string repacked = pack_value(*value);
    FUZZ_CHECK(unpack_value(repacked) && unpack_value(repacked)->bytes == value->bytes);
  }
  if (const auto cursor = parse_cursor(input)) {
    const auto reread = parse_cursor(format_cursor(*cursor));
    FUZZ_CHECK(reread && reread->time == cursor->time && reread->skip == cursor->skip);
  }
}
