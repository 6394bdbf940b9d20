#include "core/codec/value.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/codec/content_format.h"
#include "core/model/update.h"

namespace cf = aiot::content_format;
using namespace std::string_literals;

namespace {

std::string present(std::string_view bytes, std::optional<std::uint16_t> format = {}, bool parse = false) {
  nlohmann::ordered_json object;
  aiot::present_value(object, bytes, format, parse);
  return object.dump();
}

std::string from_hex(std::string_view hex) {
  std::string out;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    out += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return out;
}

std::string cbor(std::string_view hex) {
  const auto value = aiot::parse_cbor(from_hex(hex));
  return value ? value->dump() : "error: " + value.error().message;
}

}  // namespace

TEST_CASE("text is shown as text, with number and unit where it reads as one") {
  CHECK(present("23°C") == R"({"value":"23°C","number":23.0,"unit":"°C"})");
  CHECK(present("12:30") == R"({"value":"12:30"})");
  CHECK(present("1") == R"({"value":"1","number":1.0})");
  CHECK(present("") == R"({"value":""})");
  CHECK(present("on", cf::kText) == R"({"value":"on","format":"text/plain"})");
  CHECK(present(R"({"value":"1"})") == R"({"value":"{\"value\":\"1\"}"})");
}

TEST_CASE("bytes that are not UTF-8 are base 64 and say so") {
  CHECK(present("\xFF\x00\x01"s) == R"({"value":"/wAB","encoding":"base64"})");
  CHECK(present("\xFF", cf::kOctetStream) ==
        R"({"value":"/w==","encoding":"base64","format":"application/octet-stream"})");
}

TEST_CASE("JSON is parsed when it is declared or asked for, and shown as text when it is broken") {
  CHECK(present(R"({"a":[1,true]})", cf::kJson) == R"({"value":{"a":[1,true]},"format":"application/json"})");
  CHECK(present("23.5", cf::kJson) == R"({"value":23.5,"number":23.5,"format":"application/json"})");
  CHECK(present("\"23°C\"", cf::kJson) ==
        R"({"value":"23°C","number":23.0,"unit":"°C","format":"application/json"})");
  CHECK(present("{oops", cf::kJson) == R"({"value":"{oops","format":"application/json"})");
  CHECK(present("[1]", std::nullopt, true) == R"({"value":[1]})");
  CHECK(present("[1]") == R"({"value":"[1]"})");
}

TEST_CASE("CBOR and SenML are shown as JSON when declared") {
  CHECK(present(from_hex("a16161f93c00"), cf::kCbor) == R"({"value":{"a":1.0},"format":"application/cbor"})");
  CHECK(present("\xFF\xFF", cf::kCbor) ==
        R"({"value":"//8=","encoding":"base64","format":"application/cbor"})");
  CHECK(
      present(R"([{"n":"dev1","u":"Cel","v":23.1}])", cf::kSenmlJson) ==
      R"({"value":[{"n":"dev1","u":"Cel","v":23.1}],"number":23.1,"unit":"Cel","format":"application/senml+json"})");
  CHECK(
      present(from_hex("81a3006464657631016343656c0217"), cf::kSenmlCbor) ==
      R"({"value":[{"n":"dev1","u":"Cel","v":23}],"number":23.0,"unit":"Cel","format":"application/senml+cbor"})");
}

TEST_CASE("people see CBOR as JSON text and all else byte for byte") {
  CHECK(aiot::value_text(from_hex("83010203"), cf::kCbor) == "[1,2,3]");
  CHECK(aiot::value_text("\xFF", cf::kCbor) == "\xFF");
  CHECK(aiot::value_text("23°C", std::nullopt) == "23°C");
  CHECK(aiot::value_text(" [1] ", cf::kJson) == " [1] ");
}

TEST_CASE("the examples of RFC 8949, appendix A, decode") {
  const std::pair<const char*, const char*> examples[] = {
      {"00", "0"},
      {"17", "23"},
      {"1818", "24"},
      {"1903e8", "1000"},
      {"1a000f4240", "1000000"},
      {"1b000000e8d4a51000", "1000000000000"},
      {"1bffffffffffffffff", "18446744073709551615"},
      {"20", "-1"},
      {"3903e7", "-1000"},
      {"3bffffffffffffffff", "-1.8446744073709552e+19"},
      {"f90000", "0.0"},
      {"f98000", "-0.0"},
      {"f93e00", "1.5"},
      {"f97bff", "65504.0"},
      {"f90001", "5.960464477539063e-08"},
      {"f9c400", "-4.0"},
      {"fa47c35000", "100000.0"},
      {"fb3ff199999999999a", "1.1"},
      {"f97c00", "null"},
      {"f97e00", "null"},
      {"fb7ff0000000000000", "null"},
      {"f4", "false"},
      {"f5", "true"},
      {"f6", "null"},
      {"f7", "null"},
      {"f0", "null"},
      {"f8ff", "null"},
      {"c074323031332d30332d32315432303a30343a30305a", "\"2013-03-21T20:04:00Z\""},
      {"c11a514b67b0", "1363896240"},
      {"d74401020304", "\"AQIDBA\""},
      {"4401020304", "\"AQIDBA\""},
      {"40", "\"\""},
      {"62c3bc", "\"ü\""},
      {"80", "[]"},
      {"98190102030405060708090a0b0c0d0e0f101112131415161718181819",
       "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25]"},
      {"a0", "{}"},
      {"a201020304", R"({"1":2,"3":4})"},
      {"a26161016162820203", R"({"a":1,"b":[2,3]})"},
      {"5f42010243030405ff", "\"AQIDBAU\""},
      {"7f657374726561646d696e67ff", "\"streaming\""},
      {"9fff", "[]"},
      {"9f018202039f0405ffff", "[1,[2,3],[4,5]]"},
      {"bf6346756ef563416d7421ff", R"({"Amt":-2,"Fun":true})"},
  };
  for (const auto& [hex, wanted] : examples) {
    INFO(hex);
    CHECK(cbor(hex) == wanted);
  }
}

TEST_CASE("CBOR that is not well-formed or too deep is refused") {
  for (const char* hex : {"",
                          "18",
                          "1c",
                          "1f",
                          "ff",
                          "9f",
                          "9f01",
                          "bf01ff",
                          "81",
                          "a1",
                          "a101",
                          "61ff",
                          "62c3",
                          "5f6161ff",
                          "5f5f4101ffff",
                          "c0",
                          "f800",
                          "0000",
                          "9bffffffffffffffff00",
                          "bbffffffffffffffff0001",
                          "5bffffffffffffffff00",
                          "a18001",
                          "7f4161ff",
                          "df00"}) {
    INFO(hex);
    CHECK(cbor(hex).substr(0, 6) == "error:");
  }
  std::string deep(static_cast<std::size_t>(aiot::kMaxJsonDepth), '\x81');
  CHECK(aiot::parse_cbor(deep + '\0'));
  CHECK_FALSE(aiot::parse_cbor('\x81' + deep + '\0'));
  CHECK_FALSE(aiot::parse_cbor(std::string(100'000, '\x81')));
  CHECK(cbor("9f01").find("offset 2") != std::string::npos);
}

TEST_CASE("what is written as CBOR reads back") {
  const auto value = nlohmann::json::parse(R"({"a":[1,-2,3.5,true,null,"x°"],"b":{}})");
  const auto back = aiot::parse_cbor(aiot::format_cbor(value));
  REQUIRE(back);
  CHECK(*back == value);
}

TEST_CASE("JSON is bounded in depth and errors name the place") {
  const auto nested = [](int depth) {
    return std::string(static_cast<std::size_t>(depth), '[') +
           std::string(static_cast<std::size_t>(depth), ']');
  };
  CHECK(aiot::parse_json(nested(aiot::kMaxJsonDepth)));
  CHECK_FALSE(aiot::parse_json(nested(aiot::kMaxJsonDepth + 1)));
  CHECK_FALSE(aiot::parse_json(std::string(1'000'000, '[')));
  CHECK(aiot::parse_json("\"" + std::string(100, '[') + "\\\"[\""));
  const auto broken = aiot::parse_json("{\"a\":}");
  REQUIRE_FALSE(broken);
  CHECK(broken.error().code == aiot::Errc::peer_failed);
  CHECK(broken.error().message.find("offset 6") != std::string::npos);
  for (const char* text : {"", "nul", "1 2", "{'a':1}", "[1,]", "\"\xFF\"", "NaN", "1e999", "\"\x01\""}) {
    INFO(text);
    CHECK_FALSE(aiot::parse_json(text));
  }
}
