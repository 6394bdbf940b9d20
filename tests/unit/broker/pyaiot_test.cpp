#include "daemon/broker/pyaiot.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::broker;

namespace {

std::string error_of(std::string_view text) {
  const auto parsed = pyaiot::parse(text);
  REQUIRE_FALSE(parsed);
  return parsed.error().message;
}

}  // namespace

TEST_CASE("a gateway's messages are understood in any order of members") {
  const auto update =
      pyaiot::parse(R"({"dst":"all","data":"23°C","endpoint":"temperature","uid":"n","type":"update"})");
  REQUIRE(update);
  CHECK(update->type == pyaiot::Message::Type::update);
  CHECK(update->uid == "n");
  CHECK(update->dst == "all");
  CHECK(update->value.name == "temperature");
  CHECK(update->value.bytes == "23°C");
  CHECK_FALSE(update->value.raw_json);
  const auto number = pyaiot::parse(R"({"type":"update","uid":"n","endpoint":"e","data": -1.50 })");
  REQUIRE(number);
  CHECK(number->value.bytes == "-1.50");
  CHECK(number->value.raw_json);
}

TEST_CASE("a structured value is kept whether it comes before or after its endpoint") {
  for (const auto* text : {R"({"type":"update","uid":"n","endpoint":"imu","data":{"uid":"x","a":[1]}})",
                           R"({"type":"update","uid":"n","data":{"uid":"x","a":[1]},"endpoint":"imu"})"}) {
    const auto parsed = pyaiot::parse(text);
    REQUIRE(parsed);
    CHECK(parsed->value.bytes == R"({"uid":"x","a":[1]})");
    CHECK(parsed->value.raw_json);
    CHECK(parsed->value.name == "imu");
    CHECK(parsed->has_data);
  }
}

TEST_CASE("a client's write is understood with a payload of any type") {
  for (const auto& [payload, bytes] :
       {std::pair(R"("1")", "1"), std::pair("1", "1"), std::pair("[1, 2]", "[1, 2]"),
        std::pair("null", "null"), std::pair("true", "true")}) {
    const auto parsed = pyaiot::parse(
        std::string(R"({"type":"update","data":{"uid":"n","endpoint":"led","payload":)") + payload + "}}");
    REQUIRE(parsed);
    CHECK(parsed->is_write);
    CHECK(parsed->uid == "n");
    CHECK(parsed->value.name == "led");
    CHECK(parsed->value.bytes == bytes);
  }
  CHECK_FALSE(pyaiot::parse(R"({"type":"update","data":{"uid":"n","endpoint":7,"payload":"1"}})")->is_write);
  CHECK_FALSE(pyaiot::parse(R"({"type":"update","data":"client"})")->is_write);
}

TEST_CASE("what is not one of the four messages is told apart in words") {
  CHECK_THAT(error_of("nonsense"), Catch::StartsWith("not JSON"));
  CHECK_THAT(error_of(""), Catch::StartsWith("not JSON"));
  CHECK_THAT(error_of("{\"type\":\"new\""), Catch::StartsWith("not JSON"));
  CHECK(error_of("[]") == "not a JSON object");
  CHECK(error_of("{}") == "no type");
  CHECK(error_of(R"({"type":7})") == "no type");
  CHECK(error_of(R"({"type":"dance"})") == "unknown type 'dance'");
}

TEST_CASE("bounds hold on pyaiot's wire too") {
  const auto update = [](std::size_t uid, std::size_t endpoint, std::size_t data) {
    return pyaiot::parse(R"({"type":"update","uid":")" + std::string(uid, 'u') + R"(","endpoint":")" +
                         std::string(endpoint, 'e') + R"(","data":")" + std::string(data, 'd') + "\"}")
        .has_value();
  };
  CHECK(update(kMaxUid, kMaxResource, kMaxValue));
  CHECK_FALSE(update(kMaxUid + 1, 1, 1));
  CHECK_FALSE(update(1, kMaxResource + 1, 1));
  CHECK_FALSE(update(1, 1, kMaxValue + 1));
}

TEST_CASE("messages are written as pyaiot writes them") {
  std::string out;
  pyaiot::append_new(out, "n", "all");
  CHECK(out == R"({"type":"new","uid":"n","dst":"all"})");
  out.clear();
  pyaiot::append_update(out, "n", Resource{"e", "a\"b", {}, {}, false, false, false}, "all");
  CHECK(out == R"({"type":"update","uid":"n","endpoint":"e","data":"a\"b","dst":"all"})");
  out.clear();
  pyaiot::append_update(out, "n", Resource{"e", "[1]", {}, {}, true, false, false}, "all");
  CHECK(out == R"({"type":"update","uid":"n","endpoint":"e","data":[1],"dst":"all"})");
  out.clear();
  pyaiot::append_update(out, "n", Resource{"e", "\x18\x2a", {}, 60, false, false, false}, "all");
  CHECK(out == R"({"type":"update","uid":"n","endpoint":"e","data":"42","dst":"all"})");
  out.clear();
  pyaiot::append_out(out, "n");
  CHECK(out == R"({"type":"out","uid":"n"})");
  out.clear();
  pyaiot::append_reset(out, "n");
  CHECK(out == R"({"type":"reset","uid":"n"})");
  CHECK(pyaiot::client_joined("c") == R"({"type":"new","data":"client","src":"c"})");
  CHECK(pyaiot::client_write("n", "led", "1", "c") ==
        R"({"type":"update","data":{"uid":"n","endpoint":"led","payload":"1"},"src":"c"})");
}

TEST_CASE("a message beyond a bound is told from one that is not JSON") {
  const auto kind = [](const std::string& text) {
    const auto parsed = pyaiot::parse(text);
    REQUIRE_FALSE(parsed);
    return parsed.error().code;
  };
  const auto write = [](const std::string& uid, std::size_t payload) {
    return R"({"type":"update","data":{"uid":")" + uid + R"(","endpoint":"led","payload":")" +
           std::string(payload, 'x') + "\"}}";
  };
  REQUIRE(pyaiot::parse(write("n", kMaxValue)));
  CHECK(pyaiot::parse(write("n", kMaxValue))->is_write);
  CHECK(kind(write("n", kMaxValue + 1)) == Errc::usage);
  CHECK(kind(write(std::string(kMaxUid + 1, 'u'), 1)) == Errc::usage);
  CHECK(kind(R"({"type":"update","data":)" + std::string(40, '[') + std::string(40, ']') + "}") ==
        Errc::usage);
  CHECK(kind(R"({"type":"new","uid":")" + std::string(kMaxUid + 1, 'u') + "\"}") == Errc::usage);
  CHECK(kind(write("n", kMaxValue + 1).substr(0, 100)) == Errc::rejected);
  CHECK(kind(R"({"type":"dance","data":{"uid":")" + std::string(kMaxUid + 1, 'u') + "\"}}") ==
        Errc::rejected);
}

TEST_CASE("a structured value that looks like a write stays the gateway's") {
  const auto parsed = pyaiot::parse(
      R"({"type":"update","uid":"n","data":{"uid":"x","endpoint":"y","payload":"1"},"endpoint":"imu"})");
  REQUIRE(parsed);
  CHECK_FALSE(parsed->is_write);
  CHECK(parsed->uid == "n");
  CHECK(parsed->value.name == "imu");
  CHECK(parsed->value.bytes == R"({"uid":"x","endpoint":"y","payload":"1"})");
}
