#include "daemon/broker/rest.h"

#include <catch2/catch.hpp>
#include <set>

#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "unit/broker/fakes.h"

using namespace aiot;
using namespace aiot::broker;

namespace {

std::string value_of(std::string_view bytes, std::optional<std::uint16_t> format = {}, bool raw = false) {
  std::string out;
  wire::JsonWriter json(out);
  json.open_object();
  write_value(json, bytes, format, raw);
  json.close_object();
  return out;
}

}  // namespace

TEST_CASE("a body's value may be of any JSON type") {
  CHECK(parse_body_value(R"({"value":"23°C"})", true)->bytes == "23°C");
  CHECK(parse_body_value(R"({"value":1.50})", true)->bytes == "1.50");
  CHECK(parse_body_value(R"({"value":{"a":[1]}})", true)->bytes == R"({"a":[1]})");
  CHECK(parse_body_value(R"({"value":null})", true)->bytes.empty());
  CHECK(parse_body_value(R"({"encoding":"base64","value":"/wA="})", true)->bytes == std::string("\xff\0", 2));
  CHECK(parse_body_value(R"({"value":"1","format":"json"})", true)->content_format == 50);
  CHECK(parse_body_value(R"({"value":"1","format":60})", true)->content_format == 60);
  CHECK(parse_body_value("", false)->bytes.empty());
  CHECK(parse_body_value("{}", false)->bytes.empty());
}

TEST_CASE("a body without a value, or with a bad one, is a usage error in words") {
  for (const auto* body : {"", "{}", "[]", "null", "{\"value\":}", "{\"value\":1}x",
                           R"({"value":"%","encoding":"base64"})", R"({"value":"1","encoding":"hex"})",
                           R"({"value":"1","format":"nonsense"})", R"({"value":"1","format":70000})"}) {
    INFO(body);
    const auto parsed = parse_body_value(body, true);
    REQUIRE_FALSE(parsed);
    CHECK(parsed.error().code == Errc::usage);
    CHECK_FALSE(parsed.error().message.empty());
  }
  CHECK(parse_body_value(R"({"value":")" + std::string(kMaxValue, 'x') + "\"}", true));
  CHECK_FALSE(parse_body_value(R"({"value":")" + std::string(kMaxValue + 1, 'x') + "\"}", true));
}

TEST_CASE("values show number, unit, format and encoding where they apply") {
  CHECK(value_of("23°C") == R"({"value":"23°C","number":23,"unit":"°C"})");
  CHECK(value_of("on") == R"({"value":"on"})");
  CHECK(value_of("7", 0) == R"({"value":"7","number":7,"format":"text/plain"})");
  CHECK(value_of(R"({"b":1,"a":2})", 50) == R"({"value":{"a":2,"b":1},"format":"application/json"})");
  CHECK(value_of("[1]", {}, true) == R"({"value":[1]})");
  CHECK(value_of("\xff") == R"({"value":"/w==","encoding":"base64"})");
  CHECK(value_of("\x18\x2a", 60) == R"({"value":42,"number":42.0,"format":"application/cbor"})");
}

TEST_CASE("a node without anything but its uid is shown") {
  NodeTable table;
  Node* node = table.create("n", table.gateway("g"));
  std::string out;
  wire::JsonWriter json(out);
  write_node(json, *node, {});
  CHECK(
      out ==
      R"({"uid":"n","protocol":"","gateway":"g","state":"live","address":"","first_seen":"1970-01-01T00:00:00.000Z","last_seen":"1970-01-01T00:00:00.000Z","labels":{},"resources":{},"stats":{"resets":0,"timeouts":0,"rejected_writes":0}})");
}

TEST_CASE("problems carry the error's code, the node's code and the outcome") {
  const auto rejected = node_problem(Error{Errc::rejected, "no", 405, Outcome::rejected});
  CHECK(rejected.status == 502);
  CHECK(rejected.content_type == "application/problem+json");
  CHECK(
      rejected.body ==
      R"({"type":"urn:aiot:error:rejected","title":"The node refused","status":502,"detail":"no","code":"4.05","outcome":"rejected"})");
  CHECK(node_problem(Error{Errc::rejected, "x", 0, Outcome::not_sent}).status == 404);
  CHECK(node_problem(Error{Errc::unreachable, "x", 0, Outcome::not_sent}).status == 409);
  CHECK(node_problem(Error{Errc::timeout, "x", 0, Outcome::unknown}).status == 504);
  CHECK(node_problem(Error{Errc::peer_failed, "x", 500, Outcome::unknown}).status == 504);
  CHECK(node_problem(Error{Errc::peer_failed, "x", 500, Outcome::rejected}).status == 502);
  CHECK(node_problem(Error{Errc::usage, "x", 0, Outcome::not_sent}).status == 400);
  CHECK(node_problem(Error{Errc::internal, "x", 0, Outcome::not_sent}).status == 503);
}

TEST_CASE("no two routes have the same method and path") {
  std::set<std::string> seen;
  for (const RestRoute& route : rest_routes()) {
    CHECK(seen.insert(fmt::format("{} {}", route.method, route.pattern)).second);
    if (route.method != "GET") CHECK(route.needs >= Role::operator_);
  }
}
