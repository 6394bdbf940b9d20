#include "core/codec/senml.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "core/codec/value.h"

namespace {

std::vector<aiot::SenmlRecord> good(std::string_view text) {
  auto records = aiot::parse_senml_json(text);
  if (!records) FAIL(records.error().message);
  return *records;
}

}  // namespace

TEST_CASE("base fields apply to the records after them") {
  const auto records = good(R"([
    {"bn":"urn:dev:ow:10e2073a0108006:","bt":1.276020076001e+09,"bu":"A","bver":5,"n":"voltage","u":"V","v":120.1},
    {"n":"current","t":-5,"v":1.2},
    {"n":"current","t":-4,"v":1.3,"bv":100},
    {"n":"label","vs":"on"}, {"n":"flag","vb":true}, {"n":"blob","vd":"AQID"}])");
  REQUIRE(records.size() == 6);
  CHECK(records[0].name == "urn:dev:ow:10e2073a0108006:voltage");
  CHECK(records[0].unit == "V");
  CHECK(records[1].unit == "A");
  CHECK(records[1].time == 1276020071.001);
  CHECK(records[2].number == 101.3);
  CHECK(records[3].text == "on");
  CHECK(records[4].boolean == true);
  CHECK(records[5].data == "\x01\x02\x03");
}

TEST_CASE("a record of base fields alone is no record, and a sum is a value") {
  const auto records = good(R"([{"bn":"dev/","bs":10},{"n":"energy","s":5}])");
  REQUIRE(records.size() == 1);
  CHECK(records[0].sum == 15.0);
  CHECK_FALSE(records[0].number);
}

TEST_CASE("the CBOR form carries the same, with integer labels") {
  const auto cbor = aiot::format_cbor(nlohmann::json::parse(R"([{"bn":"dev/","n":"t","u":"Cel","v":21.5}])"));
  const auto by_name = aiot::parse_senml_cbor(cbor);
  REQUIRE(by_name);
  CHECK(by_name->front().name == "dev/t");

  const unsigned char packed[] = {0x81, 0xA4, 0x21, 0x64, 'd', 'e', 'v',  '/',  0x00, 0x61,
                                  't',  0x01, 0x63, 'C',  'e', 'l', 0x02, 0xF9, 0x4D, 0x60};
  const std::string bytes(std::begin(packed), std::end(packed));
  const auto records = aiot::parse_senml_cbor(bytes);
  if (!records) FAIL(records.error().message);
  CHECK(records->front().name == "dev/t");
  CHECK(records->front().unit == "Cel");
  CHECK(records->front().number == 21.5);
  CHECK(aiot::senml_cbor_to_json(bytes)->dump() == R"([{"bn":"dev/","n":"t","u":"Cel","v":21.5}])");
}

TEST_CASE("what is not SenML is refused with record and member") {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "not an array"},
      {"[1]", "record 1"},
      {R"([{"n":"a","v":1},{"n":"b"}])", "record 2: it has no value"},
      {R"([{"n":"a","v":"x"}])", "'v' is not a number"},
      {R"([{"n":1,"v":1}])", "'n' is not a string"},
      {R"([{"n":"a","vb":1}])", "'vb'"},
      {R"([{"n":"a","vd":"*"}])", "'vd'"},
      {R"([{"n":"a","v":1,"vs":"x"}])", "more than one value"},
      {R"([{"v":1}])", "not a name"},
      {R"([{"n":"a b","v":1}])", "not a name"},
      {R"([{"n":"_a","v":1}])", "not a name"},
      {R"([{"n":"a","v":1,"must_":1}])", "must be understood"},
      {R"([{"bver":11,"n":"a","v":1}])", "newer"},
      {R"([{"bv":1e308,"n":"a","v":1e308}])", "too large"},
      {"[", "JSON"},
  };
  for (const auto& [text, says] : cases) {
    INFO(text);
    const auto records = aiot::parse_senml_json(text);
    REQUIRE_FALSE(records);
    CHECK(records.error().code == aiot::Errc::peer_failed);
    CHECK(records.error().message.find(says) != std::string::npos);
  }
  std::string many = "[";
  for (std::size_t i = 0; i <= aiot::kMaxSenmlRecords; ++i) many += R"({"n":"a","v":1},)";
  many.back() = ']';
  CHECK_FALSE(aiot::parse_senml_json(many));
  CHECK(good("[]").empty());
}
