#include "daemon/gateway/journal_file.h"
#include "fuzz.h"

using namespace aiot::gateway;

/// A segment from disk: head, records, and the times of boots.
void fuzz_one(std::string_view input) {
  if (const auto head = parse_segment_head(input)) {
    FUZZ_CHECK(head->size <= input.size());
    FUZZ_CHECK(!head->head.stream.empty() && head->head.first > 0);
    const auto again = parse_segment_head(format_segment_head(head->head));
    FUZZ_CHECK(again && again->head.stream == head->head.stream && again->head.first == head->head.first);
  }
  RecordReader reader(input);
  Record record;
  std::string written;
  while (reader.next(record) == RecordReader::Status::record) {
    FUZZ_CHECK(!record.origin || record.origin->token.size() <= 8);
    append_record(written, record.item, record.origin ? &*record.origin : nullptr, record.uptime_ms);
    std::string stamped;
    append_stamped(stamped, record.item, aiot::WallTime{}, true);
  }
  FUZZ_CHECK(reader.position() <= input.size());
  RecordReader back(written);
  while (back.next(record) == RecordReader::Status::record) {
  }
  FUZZ_CHECK(back.position() == written.size());
  const auto boots = parse_boot_times(input);
  for (const auto& entry : boots.entries) FUZZ_CHECK(boots.time_of(entry.boot, entry.uptime_ms));
  FUZZ_CHECK(parse_boot_times(format_boot_times(boots)).entries.size() == boots.entries.size());
}
