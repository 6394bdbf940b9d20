#include <nlohmann/json.hpp>

#include "core/codec/content_format.h"
#include "core/codec/value.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  static_cast<void>(aiot::value_text(input, aiot::content_format::kCbor));
  const auto value = aiot::parse_cbor(input);
  if (!value) return;
  const auto text = value->dump();  // throws on text that is not UTF-8
  const auto again = aiot::parse_cbor(aiot::format_cbor(*value));
  FUZZ_CHECK(again && again->dump() == text);
}
