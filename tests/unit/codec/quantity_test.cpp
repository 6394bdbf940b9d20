#include "core/codec/quantity.h"

#include <catch2/catch.hpp>

using aiot::parse_quantity;

TEST_CASE("numbers with a unit are read whole") {
  struct Case {
    const char* text;
    double number;
    const char* unit;
  };
  const Case cases[] = {{"23°C", 23, "°C"},
                        {"1015.03hPa", 1015.03, "hPa"},
                        {"-4.5 %", -4.5, "%"},
                        {"23", 23, ""},
                        {" 7\n", 7, ""},
                        {"+5", 5, ""},
                        {".5", 0.5, ""},
                        {"-.5", -0.5, ""},
                        {"1e3", 1000, ""},
                        {"1.5e-3 V", 0.0015, "V"},
                        {"12eV", 12, "eV"},
                        {"0", 0, ""},
                        {"3 km/h", 3, "km/h"},
                        {"400 µg/m³", 400, "µg/m³"},
                        {"-0", 0, ""},
                        {"9 kg-m", 9, "kg-m"},
                        {"1 \xE2\x84\xA6", 1, "\xE2\x84\xA6"},
                        {"5 abcdefghijklmnop", 5, "abcdefghijklmnop"}};
  for (const auto& [text, number, unit] : cases) {
    INFO(text);
    const auto quantity = parse_quantity(text);
    REQUIRE(quantity);
    CHECK(quantity->number == number);
    CHECK(quantity->unit == unit);
  }
}

TEST_CASE("texts that only begin with a number are texts") {
  for (const char* text : {"",           " ",        "on",         "12:30",
                           "1.2.3",      "1.2.3.4",  "nan",        "inf",
                           "-inf",       "infinity", "0x10",       "23 apples left",
                           "2026-01-31", "1/2",      "10,5",       "5,",
                           "--5",        "+-5",      "- 5",        "-",
                           "+",          ".",        "1e999",      "[1,2]",
                           "{\"a\":1}",  "1;2",      "fe80::1",    "5 abcdefghijklmnopq",
                           "5\x01",      "5 \xFF",   "23\xC2\x9B", "3 m 4",
                           "\"5\"",      "5\x7F",    "1 2"}) {
    INFO(text);
    CHECK_FALSE(parse_quantity(text));
  }
}
