#include "cli/present.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "cli/report.h"

using namespace aiot;
using namespace aiot::cli;

namespace {

Response temperature() {
  Response out;
  out.uri = "coap://[::1]/temperature";
  out.resource = "temperature";
  out.payload = "23°C";
  out.code = "2.05";
  out.protocol = "CoAP";
  out.time = WallTime(std::chrono::milliseconds(1769860800123));
  out.rtt = std::chrono::microseconds(1840);
  return out;
}

}  // namespace

TEST_CASE("a CoAP value has the keys of aiot-json in their order") {
  CHECK(json_line(response_object(temperature(), true, false)) ==
        R"({"time":"2026-01-31T12:00:00.123Z","uri":"coap://[::1]/temperature","resource":"temperature",)"
        R"("value":"23°C","number":23.0,"unit":"°C","code":"2.05","protocol":"CoAP","rtt_ms":1.84})");
}

TEST_CASE("a value through a broker has node, gateway, state and age") {
  Response response = temperature();
  response.uri = "aiot://h/n1/led";
  response.node = "n1";
  response.gateway = "paris";
  response.resource = "led";
  response.payload = "1";
  response.code.clear();
  response.rtt.reset();
  response.state = NodeState::live;
  response.age = std::chrono::milliseconds(2500);
  CHECK(json_line(response_object(response, true, false)) ==
        R"({"time":"2026-01-31T12:00:00.123Z","uri":"aiot://h/n1/led","node":"n1","gateway":"paris",)"
        R"("resource":"led","value":"1","number":1.0,"protocol":"CoAP","state":"live","age_s":2.5})");
}

TEST_CASE("an MQTT value has qos and retained") {
  Response response;
  response.time = WallTime(std::chrono::milliseconds(1769860800123));
  response.uri = "mqtt://h/node/n1/led";
  response.resource = "node/n1/led";
  response.payload = R"({"value":"1"})";
  response.protocol = "MQTT";
  response.qos = 1;
  response.retained = true;
  CHECK(json_line(response_object(response, true, false)) ==
        R"({"time":"2026-01-31T12:00:00.123Z","uri":"mqtt://h/node/n1/led","resource":"node/n1/led",)"
        R"("value":"{\"value\":\"1\"}","protocol":"MQTT","qos":1,"retained":true})");
}

TEST_CASE("an empty answer to a write has no value, an empty value has") {
  Response response = temperature();
  response.payload.clear();
  CHECK(response_object(response, true, false)["value"] == "");
  CHECK_FALSE(response_object(response, false, false).contains("value"));
}

TEST_CASE("bytes are base64, declared JSON is parsed, undeclared JSON only when asked") {
  Response response = temperature();
  response.payload = std::string("\xff\x00", 2);
  auto object = response_object(response, true, false);
  CHECK(object["value"] == "/wA=");
  CHECK(object["encoding"] == "base64");
  response.payload = R"({"a":1})";
  CHECK(response_object(response, true, false)["value"].is_string());
  CHECK(response_object(response, true, true)["value"]["a"] == 1);
  response.content_format = 50;
  object = response_object(response, true, false);
  CHECK(object["value"]["a"] == 1);
  CHECK(object["format"] == "application/json");
}

TEST_CASE("etag and location of a write are shown") {
  Response response = temperature();
  response.etag = "\x3a\x7f";
  response.location = {"jobs", "a b"};
  const auto object = response_object(response, false, false);
  CHECK(object["etag"] == "3a7f");
  CHECK(object["location"] == "/jobs/a%20b");
}

TEST_CASE("an event names what happened, when, where and why") {
  CHECK(json_line(event_object(
            {StreamEvent::Kind::gap, "coap://h/a", "slow", WallTime(std::chrono::milliseconds(0)), 3})) ==
        R"({"event":"gap","time":"1970-01-01T00:00:00.000Z","uri":"coap://h/a","reason":"slow","missed":3})");
}

TEST_CASE("a discovered resource has its attributes") {
  Discovered found;
  found.uri = "coap://h/a";
  found.path = "/a";
  found.protocol = "CoAP";
  found.attributes = {{"rt", "t x"}, {"obs", std::nullopt}, {"if", "a"}, {"if", "b"}};
  CHECK(json_line(discovered_object(found)) ==
        R"({"type":"resource","uri":"coap://h/a","path":"/a","protocol":"CoAP",)"
        R"("attributes":{"rt":"t x","obs":true,"if":["a","b"]}})");
  CHECK(discovered_text(found, false) == "coap://h/a rt=\"t x\" obs if=a if=b");
  found.attributes = {{"title", "the \"led\""}};
  CHECK(discovered_text(found, false) == "coap://h/a title=\"the \\\"led\\\"\"");
}

TEST_CASE("CSV quotes what RFC 4180 wants quoted") {
  CHECK(csv_field("a,b") == "\"a,b\"");
  CHECK(csv_field("say \"x\"") == "\"say \"\"x\"\"\"");
  CHECK(csv_field("a\nb") == "\"a\nb\"");
  CHECK(csv_field("plain") == "plain");
  CHECK(csv_line(response_object(temperature(), true, false), false) ==
        "2026-01-31T12:00:00.123Z,,temperature,coap://[::1]/temperature,23°C,23.0,°C\r\n");
}

TEST_CASE("control characters are escaped for a terminal and left alone elsewhere") {
  Response response = temperature();
  response.payload = "a\x1b[31mb\nc\td";
  CHECK(payload_text(response, false, true) == response.payload);
  CHECK(payload_text(response, true, true) == "a\\x1b[31mb\nc\\td");
  CHECK(payload_text(response, true, false) == "a\\x1b[31mb\\nc\\td");
}

TEST_CASE("no control character is left in a line of JSON, nor in CSV for a terminal") {
  Response response = temperature();
  response.payload =
      "a\x7f\xc2\x9b"
      "31m\xc2\xa0\xc3\x9b\x1b";
  const auto object = response_object(response, true, false);
  CHECK(json_line(object).find("\"a\\u007f\\u009b31m\xc2\xa0\xc3\x9b\\u001b\"") != std::string::npos);
  CHECK(nlohmann::json::parse(json_line(object))["value"] == response.payload);
  CHECK(csv_line(object, true).find("a\\x7f\\xc2\\x9b31m\xc2\xa0\xc3\x9b\\x1b") != std::string::npos);
  CHECK(csv_line(object, false).find(response.payload) != std::string::npos);
}

TEST_CASE("CBOR is shown as JSON text") {
  Response response = temperature();
  response.payload = "\xa1\x61\x61\x01";
  response.content_format = 60;
  CHECK(payload_text(response, false, true) == R"({"a":1})");
}

TEST_CASE("an error is one object or one sentence") {
  Error error = make_error(Errc::rejected, "4.04 Not Found", 404);
  CHECK(error_json(error, "coap://h/x") ==
        R"({"error":{"code":"rejected","message":"4.04 Not Found","uri":"coap://h/x"}})");
  CHECK(error_sentence(error, "coap://h/x") == "aiot: coap://h/x: 4.04 Not Found");
  CHECK(error_json(make_error(Errc::usage, "no \"x\"\n"), {}) ==
        R"({"error":{"code":"usage","message":"no \"x\"\n"}})");
  error.outcome = Outcome::rejected;
  CHECK(error_json(error, "") ==
        R"({"error":{"code":"rejected","message":"4.04 Not Found","outcome":"rejected"}})");
  CHECK(error_sentence(make_error(Errc::timeout, "coap://h/x did not answer"), "coap://h/x") ==
        "aiot: coap://h/x did not answer");
  CHECK(error_sentence(make_error(Errc::internal, "a\nb\x1b"), {}).find('\n') == std::string::npos);
}
