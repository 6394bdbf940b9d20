#include "core/base/text.h"

#include <nlohmann/json.hpp>

#include "fuzz.h"

namespace text = aiot::text;

void fuzz_one(std::string_view input) {
  const auto escaped = text::escape_controls(input);
  FUZZ_CHECK(text::is_utf8(escaped));
  for (const char c : escaped) FUZZ_CHECK(static_cast<unsigned char>(c) >= 0x20 && c != 0x7F);

  // nlohmann/json is the second opinion on what is UTF-8 and what is a JSON string.
  const auto quoted = text::json_string(input);
  const auto parsed = nlohmann::json::parse(quoted, nullptr, false);
  FUZZ_CHECK(parsed.is_string());
  if (text::is_utf8(input)) FUZZ_CHECK(parsed.get_ref<const std::string&>() == input);
  std::string bare = "\"";
  for (const char c : input) {
    if (static_cast<unsigned char>(c) >= 0x20 && c != '"' && c != '\\') bare += c;
  }
  FUZZ_CHECK(text::is_utf8(bare) == nlohmann::json::accept(bare + '"'));

  const auto decoded = text::decode_base64(text::base64(input));
  FUZZ_CHECK(decoded && *decoded == input);
  if (const auto bytes = text::decode_base64(input)) FUZZ_CHECK(bytes->size() <= input.size());

  const auto half = input.size() / 2;
  FUZZ_CHECK(text::glob_match("*", input));
  static_cast<void>(text::glob_match(input.substr(0, half), input.substr(half)));
  static_cast<void>(text::nearest(input, {"discover", "observe", "serve-gateway"}));
}
