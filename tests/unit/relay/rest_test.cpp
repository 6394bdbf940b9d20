#include "core/relay/rest.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

using namespace aiot;
using namespace aiot::relay;
using namespace std::chrono_literals;

namespace {

Uri uri_from(const std::string& text) {
  auto uri = parse_uri(text);
  REQUIRE(uri);
  return *std::move(uri);
}

Request request_for(const std::string& uri, Method method = Method::get) {
  Request request;
  request.uri = uri_from(uri);
  request.method = method;
  return request;
}

std::string header_of(const ws::HttpClientRequest& http, const std::string& name) {
  for (const auto& [key, value] : http.headers) {
    if (key == name) return value;
  }
  return {};
}

}  // namespace

TEST_CASE("A URI of a broker names a node and a resource") {
  const auto target = target_of(uri_from("aiot://h/n%2F1/a/b"));
  CHECK(target.uid == "n/1");
  CHECK(target.resource == "a/b");
  CHECK(uri_of(uri_from("aiot://h:81/x/y"), "n/1", "a/b") == "aiot://h:81/n%2F1/a/b");
}

TEST_CASE("An asterisk stands for one segment or a part of one") {
  const auto target = target_of(uri_from("aiot://h/sim-*/*/x"));
  CHECK(target.is_pattern());
  CHECK(target.matches("sim-4", "a/x"));
  CHECK_FALSE(target.matches("other", "a/x"));
  CHECK_FALSE(target.matches("sim-4", "a/b/x"));
  CHECK_FALSE(target.matches("sim-4", "a"));
}

TEST_CASE("A read asks the broker's REST with the token") {
  auto request = request_for("aiot://h/n1/a/b");
  request.live = true;
  request.timeout = 2s;
  const auto http = http_of(request, "secret");
  CHECK(http.method == "GET");
  CHECK(http.path == "/api/v1/nodes/n1/resources/a%2Fb?live=true&timeout=2s");
  CHECK(header_of(http, "authorization") == "Bearer secret");
  CHECK(http_of(request_for("aiot://h/n1/led"), {}).path == "/api/v1/nodes/n1/resources/led");
}

TEST_CASE("A write carries value, key, deadline and format") {
  auto request = request_for("aiot://h/n1/led", Method::put);
  request.payload = "1";
  request.id = "key-1";
  request.expires = 1min;
  request.content_format = 50;
  const auto http = http_of(request, {});
  CHECK(http.method == "PUT");
  CHECK(http.path == "/api/v1/nodes/n1/resources/led?timeout=10s&expires=1m");
  CHECK(header_of(http, "idempotency-key") == "key-1");
  const auto body = nlohmann::json::parse(http.body);
  CHECK(body["value"] == "1");
  CHECK(body["format"] == "application/json");
}

TEST_CASE("Bytes that are not text travel in base64 both ways") {
  auto request = request_for("aiot://h/n1/led", Method::put);
  request.payload = std::string("\xff\x00\x01", 3);
  const auto body = nlohmann::json::parse(http_of(request, {}).body);
  CHECK(body["encoding"] == "base64");
  const auto answer = parse_answer(request_for("aiot://h/n1/led"),
                                   R"({"value":"/wAB","encoding":"base64","protocol":"CoAP"})", {});
  REQUIRE(answer);
  CHECK(answer->payload == request.payload);
}

TEST_CASE("What a broker cannot do is a usage error that says so") {
  const auto refused = [](Request request, bool observing, const std::string& about) {
    const auto checked = check_request(request, observing);
    REQUIRE_FALSE(checked);
    CHECK(checked.error().code == Errc::usage);
    CHECK(checked.error().message.find(about) != std::string::npos);
  };
  refused(request_for("aiot://h/n1"), false, "names a node and a resource");
  refused(request_for("aiot://h/n1/led", Method::fetch), false, "FETCH");
  refused(request_for("aiot://h/*/led"), false, "'*'");
  refused(request_for("aiot://h/" + std::string(129, 'u') + "/led"), false, "uid");
  refused(request_for("aiot://h/*/led", Method::put), false, "PUT");
  auto conditional = request_for("aiot://h/n1/led", Method::put);
  conditional.if_match = {"\x3a"};
  refused(conditional, false, "If-Match");
  auto large = request_for("aiot://h/n1/led", Method::put);
  large.payload = std::string(kMaxValue + 1, 'x');
  refused(large, false, "longer");
  CHECK(check_request(request_for("aiot://h/*/led"), true));
}

TEST_CASE("A value's answer fills the response, and its age decides whether it will do") {
  const auto now = *parse_time("2026-01-31T12:00:10Z");
  auto request = request_for("aiot://h/n1/temperature");
  const auto answer = parse_answer(
      request,
      R"({"time":"2026-01-31T12:00:00.500Z","node":"n1","gateway":"paris","resource":"temperature",)"
      R"("value":"23°C","number":23.0,"unit":"°C","protocol":"CoAP","state":"stale","age_s":9.5,"seq":7})",
      now);
  REQUIRE(answer);
  CHECK(answer->payload == "23°C");
  CHECK(answer->gateway == "paris");
  CHECK(answer->state == NodeState::stale);
  CHECK(answer->age == 9500ms);
  CHECK(answer->sequence == 7);
  CHECK(format_utc(answer->time) == "2026-01-31T12:00:00.500Z");

  auto fresh = check_freshness(request, *answer);
  REQUIRE_FALSE(fresh);
  CHECK(fresh.error().code == Errc::unreachable);
  request.stale = true;
  CHECK(check_freshness(request, *answer));
  request.max_age = 5s;
  fresh = check_freshness(request, *answer);
  REQUIRE_FALSE(fresh);
  CHECK(fresh.error().code == Errc::timeout);
}

TEST_CASE("Without an age the value's time tells it") {
  const auto answer =
      parse_answer(request_for("aiot://h/n1/t"), R"({"value":1.5,"time":"2026-01-31T12:00:00Z"})",
                   *parse_time("2026-01-31T12:00:03Z"));
  REQUIRE(answer);
  CHECK(answer->payload == "1.5");
  CHECK(answer->age == 3s);
}

TEST_CASE("A problem's type, outcome and node code become the error") {
  const auto rejected = problem_of(
      502,
      R"({"type":"https://x/problems/rejected","detail":"the node answered 4.05","code":"4.05","outcome":"rejected"})",
      true);
  CHECK(rejected.code == Errc::rejected);
  CHECK(rejected.native == 405);
  CHECK(rejected.outcome == Outcome::rejected);
  CHECK(rejected.message == "the node answered 4.05");

  const auto away = problem_of(409, R"({"type":"about:unreachable","detail":"node n1 is out"})", true);
  CHECK(away.code == Errc::unreachable);
  CHECK(away.outcome == Outcome::not_sent);

  const auto late = problem_of(504, "", true);
  CHECK(late.code == Errc::timeout);
  CHECK(late.outcome == Outcome::unknown);
  CHECK(problem_of(404, "{}", false).code == Errc::rejected);
  CHECK(problem_of(404, "{}", true).outcome == Outcome::not_sent);
  CHECK(problem_of(401, "", false).code == Errc::unauthorized);
  CHECK(problem_of(500, "<html>", false).code == Errc::peer_failed);
  CHECK(problem_of(500, "<html>", false).outcome == Outcome::none);
}

TEST_CASE("Answers that are not what the API promises are the broker's failure") {
  for (const auto* body : {"", "[]", "{", "\"x\"", "{\"items\":3}", "{\"items\":[1]}", "{\"items\":[{}]}"}) {
    INFO(body);
    const auto page = parse_page(body);
    REQUIRE_FALSE(page);
    CHECK(page.error().code == Errc::peer_failed);
  }
  CHECK_FALSE(parse_node(R"({"uid":"n","resources":{"a":1}})"));
  CHECK_FALSE(parse_answer(request_for("aiot://h/n/r"), "nonsense", {}));
}

TEST_CASE("A page of nodes is read with their values") {
  const auto page = parse_page(
      R"({"items":[{"uid":"n1","protocol":"CoAP","gateway":"g","state":"out","address":"127.1.0.1",)"
      R"("resources":{"t":{"value":"1","time":"2026-01-31T12:00:00Z"}}}],"next":"n1"})");
  REQUIRE(page);
  REQUIRE(page->nodes.size() == 1);
  CHECK(page->next == "n1");
  CHECK(page->nodes[0].state == NodeState::out);
  CHECK(page->nodes[0].resources.at("t").bytes == "1");
}

TEST_CASE("Messages of pyaiot's wire are told apart") {
  const auto update = parse_wire(R"({"type":"update","uid":"n","endpoint":"t","data":"1","dst":"all"})");
  REQUIRE(update);
  CHECK(update->kind == WireMessage::Kind::update);
  CHECK(update->live);
  const auto snapshot = parse_wire(R"({"type":"update","uid":"n","endpoint":"t","data":{"a":1},"dst":"77"})");
  REQUIRE(snapshot);
  CHECK_FALSE(snapshot->live);
  CHECK(snapshot->bytes == R"({"a":1})");
  CHECK(parse_wire(R"({"type":"new","uid":"n","dst":"all"})")->kind == WireMessage::Kind::joined);
  CHECK(parse_wire(R"({"type":"out","uid":"n"})")->kind == WireMessage::Kind::out);
  CHECK_FALSE(parse_wire("garbage"));
  CHECK_FALSE(parse_wire(R"({"type":"update","uid":7})"));
  CHECK_FALSE(parse_wire(R"({"type":"update","uid":"n"})"));
}
