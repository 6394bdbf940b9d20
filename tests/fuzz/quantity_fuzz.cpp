#include "core/codec/quantity.h"

#include <cmath>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  static_cast<void>(aiot::parse_content_format(input));
  const auto quantity = aiot::parse_quantity(input);
  if (!quantity) return;
  FUZZ_CHECK(std::isfinite(quantity->number));
  FUZZ_CHECK(quantity->unit.size() <= 64);
  FUZZ_CHECK(aiot::text::is_utf8(quantity->unit));
  FUZZ_CHECK(aiot::text::escape_controls(quantity->unit) == quantity->unit);
  FUZZ_CHECK(quantity->unit.find_first_of("0123456789 ") == std::string::npos);
}
