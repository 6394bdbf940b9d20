#include "daemon/gateway/counters.h"

namespace aiot::gateway {

std::string_view to_string(Drop reason) {
  static constexpr std::array<std::string_view, kDropReasons> kNames = {
      "not_allowed", "bad_uid",         "uid_conflict",       "no_colon",   "bad_name",         "bad_value",
      "too_long",    "unknown_address", "too_many_resources", "table_full", "bad_registration", "bad_message",
      "bad_answer",  "too_fast"};
  const auto index = static_cast<std::size_t>(reason);
  return index < kNames.size() ? kNames[index] : "unknown";
}

}  // namespace aiot::gateway
