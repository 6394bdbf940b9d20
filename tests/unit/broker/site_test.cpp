#include "daemon/broker/site.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "daemon/broker/static_files.h"

using namespace aiot;
using namespace aiot::broker;
using nlohmann::json;

namespace {

ws::HttpResponse get(const Site& site, std::string path) {
  ws::HttpRequest request;
  request.method = "GET";
  request.path = std::move(path);
  return site.serve(request);
}

std::string policy_of(const ws::HttpResponse& response) {
  for (const auto& [name, value] : response.headers)
    if (name == "content-security-policy") return value;
  return {};
}

}  // namespace

TEST_CASE("without options the dashboard loads from this server alone") {
  const Site site({}, {});
  CHECK(site.policy() == kContentSecurityPolicy);
  const auto told = json::parse(site.describe(WallTime{}));
  CHECK(told["title"] == "aiot");
  CHECK(told["image_origins"] == json::array());
  CHECK(told["time"] == "1970-01-01T00:00:00.000Z");
  for (const auto* name : {"logo", "favicon", "camera", "map"}) CHECK_FALSE(told.contains(name));
  CHECK(get(site, "/brand/logo").status == 404);
}

TEST_CASE("pictures come from where the operator says, and only pictures do") {
  SiteOptions options;
  options.camera = "https://cam.example.org:8443/live.jpg?x=1";
  options.tiles = "https://{s}.tiles.example.org/{z}/{x}/{y}.png";
  options.images = {"http://192.0.2.1", "/camera"};
  const Site site(options, {});
  CHECK(site.policy().find("img-src 'self' data: http://192.0.2.1 https://*.tiles.example.org "
                           "https://cam.example.org:8443;") != std::string::npos);
  CHECK(site.policy().find("script-src 'self';") != std::string::npos);
  CHECK(policy_of(get(site, "/")) == site.policy());
  const auto told = json::parse(site.describe(WallTime{}));
  CHECK(told["camera"] == options.camera);
  CHECK(told["map"]["tiles"] == options.tiles);
  CHECK(told["image_origins"].size() == 3);
}

TEST_CASE("logo and favicon are served as the pictures they are") {
  SiteOptions options;
  options.title = "Lab \"7\"";
  options.logo = *make_picture("<?xml version=\"1.0\"?><svg/>");
  options.favicon = *make_picture("\x89PNG\r\n\x1a\n...");
  const Site site(options, {});
  CHECK(get(site, "/brand/logo").content_type == "image/svg+xml");
  CHECK(get(site, "/brand/logo").static_body == options.logo.bytes);
  CHECK(policy_of(get(site, "/brand/logo")) == site.policy());
  CHECK(get(site, "/brand/favicon").content_type == "image/png");
  const auto told = json::parse(site.describe(WallTime{}));
  CHECK(told["title"] == options.title);
  CHECK(told["logo"] == "brand/logo");
}

TEST_CASE("what is no picture and no address is refused") {
  CHECK_FALSE(make_picture("#!/bin/sh"));
  CHECK_FALSE(make_picture(""));
  for (const auto* bad : {"", "cam", "ftp://x/", "https://", "//x/y", "http://a b/", "http://a;script-src *",
                          "https://{s}.", "https://*.org/", "data:image/png,x"})
    CHECK_FALSE(picture_origin(bad));
  CHECK(*picture_origin("/live.jpg") == "");
  CHECK(*picture_origin("http://[::1]:8080/x") == "http://[::1]:8080");
}
