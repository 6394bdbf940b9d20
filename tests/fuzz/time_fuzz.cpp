#include "core/base/time.h"

#include "fuzz.h"

void fuzz_one(std::string_view input) {
  if (const auto duration = aiot::parse_duration(input)) {
    FUZZ_CHECK(duration->count() >= 0);
    const auto again = aiot::parse_duration(aiot::format_duration(*duration));
    FUZZ_CHECK(again && *again == *duration);
  }
  if (const auto time = aiot::parse_time(input)) {
    const auto again = aiot::parse_time(aiot::format_utc(*time));
    FUZZ_CHECK(again && *again == *time);
    FUZZ_CHECK(!aiot::format_local(*time).empty());
  }
}
