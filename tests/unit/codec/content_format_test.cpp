#include "core/codec/content_format.h"

#include <catch2/catch.hpp>

TEST_CASE("content formats go by number, media type and short name") {
  for (const char* text : {"50", "application/json", "json", "JSON", "application/json; charset=utf-8"}) {
    const auto format = aiot::parse_content_format(text);
    REQUIRE(format);
    CHECK(*format == 50);
  }
  CHECK(*aiot::parse_content_format("text") == 0);
  CHECK(*aiot::parse_content_format("text/plain;charset=utf-8") == 0);
  CHECK(*aiot::parse_content_format("senml+cbor") == 112);
  CHECK(*aiot::parse_content_format("65535") == 65535);
  CHECK(aiot::content_format_name(0) == "text/plain");
  CHECK(aiot::content_format_name(110) == "application/senml+json");
  CHECK(aiot::content_format_name(9999) == "9999");
}

TEST_CASE("an unknown content format names those that are known") {
  for (const char* text : {"", "65536", "-1", "yaml", "application/", "5 0"}) {
    const auto format = aiot::parse_content_format(text);
    REQUIRE_FALSE(format);
    CHECK(format.error().code == aiot::Errc::usage);
    CHECK(format.error().message.find("senml+json") != std::string::npos);
  }
}
