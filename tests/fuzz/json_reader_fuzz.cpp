#include "daemon/wire/json_reader.h"

#include <nlohmann/json.hpp>

#include "fuzz.h"

namespace {

bool is_json(std::string_view text) {
  try {
    return !nlohmann::json::parse(text).is_discarded();
  } catch (const nlohmann::json::out_of_range&) {
    return true;
  } catch (const nlohmann::json::exception&) {
    return false;
  }
}

}  // namespace

void fuzz_one(std::string_view input) {
  aiot::wire::JsonReader reader(input);
  const bool read = reader.skip() && reader.finish();
  if (!read) FUZZ_CHECK(!reader.error().message.empty());
  // Two readers of one grammar: what this one accepts, nlohmann/json accepts, large numbers aside.
  if (read) FUZZ_CHECK(is_json(input));

  aiot::wire::JsonReader strings(input);
  std::string text;
  if (strings.read_string(text, 256) && strings.finish()) {
    FUZZ_CHECK(text.size() <= 256);
    FUZZ_CHECK(nlohmann::json::parse(input, nullptr, false) == text);
  }
}
