#include "core/base/text.h"

#include <catch2/catch.hpp>

namespace text = aiot::text;
using namespace std::string_literals;

TEST_CASE("well-formed UTF-8 is told from what only looks like it") {
  for (const auto& good : {""s, "plain ascii text"s, "23°C"s, "\xED\x9F\xBF"s, "\xEE\x80\x80"s,
                           "\xF4\x8F\xBF\xBF"s, "zero\0inside"s, "eight by€te boundary"s}) {
    CHECK(text::is_utf8(good));
  }
  for (const auto& bad :
       {"\xFF"s, "\xC0\x80"s, "\xC1\xBF"s, "\xE0\x9F\xBF"s, "\xED\xA0\x80"s, "\xF0\x8F\xBF\xBF"s,
        "\xF4\x90\x80\x80"s, "\xF5\x80\x80\x80"s, "\x80"s, "\xC2"s, "\xE2\x82"s, "12345678\xE2"s}) {
    CHECK_FALSE(text::is_utf8(bad));
  }
}

TEST_CASE("control characters and broken bytes are shown, not sent") {
  CHECK(text::escape_controls("a\nb\tc\rd") == "a\\nb\\tc\\rd");
  CHECK(text::escape_controls("\x1B[31mred\x7F") == "\\x1b[31mred\\x7f");
  CHECK(text::escape_controls("\xC2\x9B"
                              "31m") == "\\xc2\\x9b31m");
  CHECK(text::escape_controls("23°C \xFF") == "23°C \\xff");
  CHECK(text::escape_controls("\0"s) == "\\x00");
}

TEST_CASE("JSON strings escape what RFC 8259 and terminals need") {
  CHECK(text::json_string("say \"hi\"\\") == R"("say \"hi\"\\")");
  CHECK(text::json_string("\b\f\n\r\t\x01") == R"("\b\f\n\r\t\u0001")");
  CHECK(text::json_string("\x7F\xC2\x9B") == R"("\u007f\u009b")");
  CHECK(text::json_string("23°C\xFF!") == "\"23°C\xEF\xBF\xBD!\"");
  CHECK(text::json_string("") == "\"\"");
}

TEST_CASE("base 64 matches the vectors of RFC 4648") {
  const std::pair<const char*, const char*> vectors[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"}};
  for (const auto& [plain, encoded] : vectors) {
    CHECK(text::base64(plain) == encoded);
    CHECK(text::decode_base64(encoded) == plain);
  }
  CHECK(text::base64("\xFB\xFF") == "+/8=");
  CHECK(text::base64url("\xFB\xFF") == "-_8=");
  CHECK(text::decode_base64("-_8") == "\xFB\xFF");
  CHECK(text::decode_base64("+/8=") == "\xFB\xFF");
}

TEST_CASE("base 64 that no encoder writes is refused") {
  for (const char* bad : {"Z", "Zg=", "Zg===", "Z===", "Zh==", "Zm9=x", "Zm 9v", "Zm9v=", "===="}) {
    INFO(bad);
    CHECK_FALSE(text::decode_base64(bad));
  }
}

TEST_CASE("the nearest word is offered only when it is near") {
  const std::vector<std::string_view> words{"discover", "get", "put", "observe", "serve-broker"};
  CHECK(text::nearest("observ", words) == "observe");
  CHECK(text::nearest("dicsover", words) == "discover");
  CHECK(text::nearest("gte", words) == "get");
  CHECK(text::nearest("xyz", words).empty());
  CHECK(text::nearest("", words).empty());
  CHECK(text::nearest("serve-borker", words) == "serve-broker");
}

TEST_CASE("a star stands for any run of characters") {
  CHECK(text::glob_match("*", ""));
  CHECK(text::glob_match("sim-*", "sim-12"));
  CHECK(text::glob_match("*temp*", "room/temperature"));
  CHECK(text::glob_match("a*b*c", "aXXbYYbc"));
  CHECK_FALSE(text::glob_match("a*b", "abc"));
  CHECK_FALSE(text::glob_match("", "x"));
  CHECK(text::glob_match("", ""));
  // Many stars must not take exponential time.
  CHECK(text::path_match("*/temp*", "room/temperature"));
  CHECK(text::path_match("a*/b", "a1/b"));
  CHECK_FALSE(text::path_match("*", "room/temperature"));
  CHECK_FALSE(text::path_match("*b", "a/b"));
  CHECK_FALSE(text::path_match("*/*", "a"));
  CHECK_FALSE(text::path_match("*/c", "a/b/c"));
  CHECK_FALSE(text::glob_match("*a*a*a*a*a*a*a*a*a*b", std::string(4000, 'a')));
}

TEST_CASE("trim, split and lower do what their names say") {
  CHECK(text::trim(" \t x y \r\n") == "x y");
  CHECK(text::trim("  ").empty());
  CHECK(text::split("a,,b", ',') == std::vector<std::string_view>{"a", "", "b"});
  CHECK(text::split("", ',') == std::vector<std::string_view>{""});
  CHECK(text::lower("CoAP+TCP Ü") == "coap+tcp Ü");
}
