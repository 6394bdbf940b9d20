#include <cmath>

#include "core/codec/senml.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto records = aiot::parse_senml_json(input);
  if (!records) return;
  FUZZ_CHECK(records->size() <= aiot::kMaxSenmlRecords);
  for (const auto& record : *records) {
    FUZZ_CHECK(!record.name.empty());
    FUZZ_CHECK(record.number || record.text || record.boolean || record.data || record.sum);
    FUZZ_CHECK(std::isfinite(record.number.value_or(0)));
  }
}
