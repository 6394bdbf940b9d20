#include <nlohmann/json.hpp>

#include "core/codec/content_format.h"
#include "core/codec/value.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  if (const auto value = aiot::parse_json(input)) {
    const auto again = aiot::parse_json(value->dump());
    FUZZ_CHECK(again && *again == *value);
  }
  // Whatever a payload holds and claims to be, it can be shown as one line of JSON.
  for (const unsigned number : {0U, 42U, 50U, 60U, 110U, 112U, 9999U}) {
    const auto format = static_cast<std::uint16_t>(number);
    nlohmann::ordered_json object;
    aiot::present_value(object, input, format, format == 0);
    FUZZ_CHECK(object.contains("value") && object.contains("format"));
    FUZZ_CHECK(!object.dump().empty());
  }
}
