#include "daemon/wire/json_reader.h"

#include <catch2/catch.hpp>

using aiot::wire::JsonReader;

namespace {

bool valid(std::string_view text) {
  JsonReader reader(text);
  reader.skip();
  return reader.finish();
}

std::string string_of(std::string_view text, std::size_t max = 1000) {
  JsonReader reader(text);
  std::string out;
  return reader.read_string(out, max) && reader.finish() ? out : "failed";
}

}  // namespace

TEST_CASE("valid JSON is passed over whole") {
  for (const auto* text : {"{}", "[]", " [ 1 , -2.5e+3 , \"a\" , true, false, null ] ",
                           "{\"a\":{\"b\":[{}]}}", "0", "-0", "0.5", "\"\"", "1E9"}) {
    INFO(text);
    CHECK(valid(text));
  }
}

TEST_CASE("invalid JSON is refused") {
  for (const auto* text : {"",
                           "{",
                           "[",
                           "[1,]",
                           "[,1]",
                           "{\"a\"}",
                           "{\"a\":}",
                           "{\"a\":1,}",
                           "{a:1}",
                           "{\"a\":1 \"b\":2}",
                           "01",
                           "1.",
                           ".5",
                           "-",
                           "1e",
                           "+1",
                           "tru",
                           "nul",
                           "nan",
                           "\"",
                           "\"\\",
                           "\"\\x\"",
                           "\"\\u12\"",
                           "\"\\ud800\"",
                           "\"\\udc00\"",
                           "\"\\ud800\\u0041\"",
                           "\"\n\"",
                           "\"\xff\"",
                           "\"\xc0\x80\"",
                           "\"\\n\xff\"",
                           "1 2",
                           "[]]",
                           "'a'"}) {
    INFO(text);
    CHECK_FALSE(valid(text));
  }
  CHECK_FALSE(valid(std::string_view("\"\0\"", 3)));
}

TEST_CASE("strings are unescaped") {
  CHECK(string_of(R"("plain")") == "plain");
  CHECK(string_of(R"("a\"b\\c\/\b\f\n\r\t")") == "a\"b\\c/\b\f\n\r\t");
  CHECK(string_of(R"("\u00b0C \ud83d\ude00 \u20AC")") == "°C 😀 €");
  CHECK(string_of(R"("\u0000x")") == std::string("\0x", 2));
}

TEST_CASE("a string longer than asked for fails") {
  CHECK(string_of("\"12345\"", 5) == "12345");
  CHECK(string_of("\"123456\"", 5) == "failed");
  CHECK(string_of(R"("1234\n6")", 5) == "failed");
}

TEST_CASE("depth is bounded at 32") {
  CHECK(valid(std::string(32, '[') + std::string(32, ']')));
  CHECK_FALSE(valid(std::string(33, '[') + std::string(33, ']')));
  CHECK_FALSE(valid(std::string(1'000'000, '[')));
}

TEST_CASE("whole numbers are read exactly") {
  const auto number = [](std::string_view text) -> std::string {
    JsonReader reader(text);
    std::uint64_t out = 0;
    return reader.read_unsigned(out) && reader.finish() ? std::to_string(out) : "failed";
  };
  CHECK(number("0") == "0");
  CHECK(number("18446744073709551615") == "18446744073709551615");
  for (const auto* text : {"18446744073709551616", "-1", "1.0", "1e3", "01", "x", "", "\"1\""}) {
    INFO(text);
    CHECK(number(text) == "failed");
  }
}

TEST_CASE("a failure says where it was") {
  JsonReader reader("{\"a\": tru}");
  reader.skip();
  REQUIRE(reader.failed());
  CHECK(reader.error().message == "expected a value at byte 6");
}

TEST_CASE("raw shows a value as written") {
  JsonReader reader("{\"a\": [1, {\"b\":2}] }");
  std::string_view name;
  std::string_view raw;
  reader.enter_object();
  REQUIRE(reader.next_member(name));
  REQUIRE(reader.read_raw(raw));
  CHECK(raw == "[1, {\"b\":2}]");
}

TEST_CASE("a number that no double holds is refused, whatever its length") {
  const auto passes = [](const std::string& number) {
    JsonReader reader(number);
    std::string_view raw;
    return reader.read_raw(raw) && raw == number;
  };
  CHECK(passes("1e308"));
  CHECK(passes("-2.5E-300"));
  CHECK(passes(std::string(308, '9')));
  CHECK_FALSE(passes("1e309"));
  CHECK_FALSE(passes("-2.5e4444444444444444444444444444"));
  CHECK_FALSE(passes(std::string(310, '9')));
}
