#include "daemon/broker/static_files.h"

#include <array>
#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::broker;

namespace {

constexpr std::array kAssets = {Asset{"/assets/a.js", "text/javascript", "\"a\"", "let a", "GZ", true},
                                Asset{"/index.html", "text/html", "\"i\"", "<html>", {}, false}};

ws::HttpResponse get(std::string path, ws::Headers headers = {}, std::string method = "GET") {
  ws::HttpRequest request;
  request.method = std::move(method);
  request.path = std::move(path);
  request.headers = std::move(headers);
  return serve_file(request, kAssets);
}

std::string header(const ws::HttpResponse& response, std::string_view name) {
  for (const auto& [key, value] : response.headers) {
    if (key == name) return value;
  }
  return "none";
}

}  // namespace

TEST_CASE("files come with their type, tag, policy and how long they keep") {
  const auto page = get("/");
  CHECK(page.status == 200);
  CHECK(page.static_body == "<html>");
  CHECK(header(page, "cache-control") == "no-cache");
  CHECK(header(page, "content-security-policy") == kContentSecurityPolicy);
  CHECK(get("/index.html").static_body == "<html>");
  const auto script = get("/assets/a.js");
  CHECK(script.static_body == "let a");
  CHECK(header(script, "cache-control") == "public, max-age=31536000, immutable");
  CHECK(header(script, "vary") == "accept-encoding");
}

TEST_CASE("gzip goes to those who take it, under a tag of its own") {
  for (const auto* field : {"gzip", "deflate, GZIP;q=0.5", "*", "br;q=1, gzip"}) {
    const auto packed = get("/assets/a.js", {{"accept-encoding", field}});
    CHECK(packed.static_body == "GZ");
    CHECK(header(packed, "content-encoding") == "gzip");
    CHECK(header(packed, "etag") == "\"a-gz\"");
  }
  for (const auto* field : {"", "br", "gzip;q=0", "identity"}) {
    CHECK(get("/assets/a.js", {{"accept-encoding", field}}).static_body == "let a");
  }
}

TEST_CASE("who has a file already gets 304") {
  for (const auto* field : {"\"i\"", "\"x\", W/\"i\"", "*"}) {
    const auto answer = get("/", {{"if-none-match", field}});
    CHECK(answer.status == 304);
    CHECK_FALSE(answer.static_body);
  }
  CHECK(get("/", {{"if-none-match", "\"other\""}}).status == 200);
  CHECK(get("/assets/a.js", {{"if-none-match", "\"a\""}, {"accept-encoding", "gzip"}}).status == 200);
}

TEST_CASE("other paths and methods are refused, and a broker without a dashboard says so") {
  CHECK(get("/none").status == 404);
  CHECK(get("/assets/").status == 404);
  CHECK(get("/", {}, "POST").status == 405);
  ws::HttpRequest request;
  request.method = "GET";
  request.path = "/";
  const auto page = serve_file(request, {});
  CHECK(page.status == 200);
  CHECK(page.static_body->find("without the dashboard") != std::string_view::npos);
}
