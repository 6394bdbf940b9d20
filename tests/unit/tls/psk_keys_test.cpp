#include "core/tls/psk_keys.h"

#include <catch2/catch.hpp>

namespace aiot::tls {
namespace {

PskKeys parsed(std::string_view text) {
  auto keys = parse_psk_keys(text, "keys");
  REQUIRE(keys);
  return *keys;
}

std::string refusal(std::string_view text) {
  const auto keys = parse_psk_keys(text, "keys");
  REQUIRE_FALSE(keys);
  CHECK(keys.error().code == Errc::usage);
  return keys.error().message;
}

TEST_CASE("A key is hex or text in double quotes") {
  CHECK(parsed("n1:00fFa0\n") == PskKeys{{"n1", std::string("\x00\xff\xa0", 3)}});
  CHECK(parsed("n1:\"correct horse\"") == PskKeys{{"n1", "correct horse"}});
  CHECK(parsed("n1:\"a:\"b\"\n") == PskKeys{{"n1", "a:\"b"}});
}

TEST_CASE("An identity may hold colons when the key is hex") {
  CHECK(parsed("urn:dev:1:aa") == PskKeys{{"urn:dev:1", "\xaa"}});
  CHECK(parsed("urn:dev:1:\"k\"") == PskKeys{{"urn:dev:1", "k"}});
}

TEST_CASE("Empty lines and comments are skipped, and a file may have none but them") {
  CHECK(parsed("").empty());
  CHECK(parsed("# keys\r\n\r\n  # more\n").empty());
  CHECK(parsed("a:aa\r\n\n# b\nc:cc").size() == 2);
}

TEST_CASE("What is wrong is named by its line, and never the key") {
  CHECK(refusal("a:aa\nsecret\n") == "keys:2: it is not IDENTITY:KEY");
  CHECK(refusal("a:secret") == "keys:1: the key is neither hex nor text in double quotes");
  CHECK(refusal("a:abc") == "keys:1: the key is neither hex nor text in double quotes");
  CHECK(refusal(":aa") == "keys:1: an identity has 1 to 128 bytes");
  CHECK(refusal(std::string(129, 'a') + ":aa") == "keys:1: an identity has 1 to 128 bytes");
  CHECK(refusal("a:") == "keys:1: a key has 1 to 64 bytes");
  CHECK(refusal("a:\"\"") == "keys:1: a key has 1 to 64 bytes");
  CHECK(refusal("a:\"" + std::string(65, 'k') + "\"") == "keys:1: a key has 1 to 64 bytes");
  CHECK(refusal("a:aa\na:bb") == "keys:2: this identity has a key already");
}

TEST_CASE("A file that is not there is named") {
  const auto keys = read_psk_keys("/nonexistent/keys");
  REQUIRE_FALSE(keys);
  CHECK(keys.error().code == Errc::internal);
  CHECK(keys.error().message.find("/nonexistent/keys") != std::string::npos);
}

}  // namespace
}  // namespace aiot::tls
