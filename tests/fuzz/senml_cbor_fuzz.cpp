#include <nlohmann/json.hpp>

#include "core/codec/senml.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto records = aiot::parse_senml_cbor(input);
  if (!records) return;
  // What the CBOR form holds, its JSON form holds too.
  const auto json = aiot::senml_cbor_to_json(input);
  FUZZ_CHECK(json);
  const auto again = aiot::parse_senml_json(json->dump());
  FUZZ_CHECK(again && again->size() == records->size());
  for (std::size_t i = 0; i < records->size(); ++i) FUZZ_CHECK((*again)[i].name == (*records)[i].name);
}
