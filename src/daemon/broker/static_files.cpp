#include "daemon/broker/static_files.h"

#include <algorithm>
#include <string>

#include "core/base/text.h"

namespace aiot::broker {
namespace {

constexpr std::string_view kIndex = "/index.html";

constexpr Asset kNoDashboard{kIndex, "text/html; charset=utf-8", "\"no-dashboard-1\"", R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>aiot broker</title>
<h1>aiot broker</h1>
<p>This broker was built without the dashboard. Its nodes are at <a href="/api/v1/nodes">/api/v1/nodes</a>,
its counters at <a href="/metrics">/metrics</a>.</p>
</html>
)", {},
                             false};

/// True when an Accept-Encoding field (RFC 9110 section 12.5.3) takes gzip.
bool takes_gzip(std::string_view field) {
  for (const std::string_view item : text::split(field, ',')) {
    const auto semicolon = item.find(';');
    const std::string coding = text::lower(text::trim(item.substr(0, semicolon)));
    if (coding != "gzip" && coding != "*") continue;
    const std::string_view weight =
        semicolon == std::string_view::npos ? "" : text::trim(item.substr(semicolon + 1));
    return weight != "q=0" && weight != "q=0.0" && weight != "q=0.00" && weight != "q=0.000";
  }
  return false;
}

/// True when If-None-Match (RFC 9110 section 13.1.2) names `etag`, weakly compared, or "*".
bool has_it(std::string_view field, std::string_view etag) {
  for (std::string_view item : text::split(field, ',')) {
    item = text::trim(item);
    if (item.substr(0, 2) == "W/") item.remove_prefix(2);
    if (item == "*" || item == etag) return true;
  }
  return false;
}

void add_security(ws::HttpResponse& response, std::string_view policy) {
  response.headers.emplace_back("content-security-policy", policy);
  response.headers.emplace_back("x-content-type-options", "nosniff");
  response.headers.emplace_back("referrer-policy", "no-referrer");
}

ws::HttpResponse serve(const Asset& asset, const ws::HttpRequest& request, std::string_view policy) {
  const bool packed = !asset.gzip.empty() && takes_gzip(request.header("accept-encoding"));
  // The two encodings are two representations, and a strong tag stands for one.
  std::string etag(asset.etag);
  if (packed && etag.size() > 1) etag.insert(etag.size() - 1, "-gz");
  ws::HttpResponse response;
  response.content_type = asset.content_type;
  add_security(response, policy);
  response.headers.emplace_back("etag", etag);
  response.headers.emplace_back("vary", "accept-encoding");
  response.headers.emplace_back("cache-control",
                                asset.immutable ? "public, max-age=31536000, immutable" : "no-cache");
  if (has_it(request.header("if-none-match"), etag)) {
    response.status = 304;
    return response;
  }
  response.static_body = packed ? asset.gzip : asset.body;
  if (packed) response.headers.emplace_back("content-encoding", "gzip");
  return response;
}

}  // namespace

ws::HttpResponse only_get() {
  ws::HttpResponse response;
  response.status = 405;
  response.body = "only GET is possible here\n";
  response.headers.emplace_back("allow", "GET, HEAD");
  return response;
}

ws::HttpResponse serve_file(const ws::HttpRequest& request, std::span<const Asset> assets,
                            std::string_view policy) {
  if (request.method != "GET" && request.method != "HEAD") return only_get();
  const std::string_view path = request.path == "/" ? kIndex : std::string_view(request.path);
  const auto found =
      std::find_if(assets.begin(), assets.end(), [&](const Asset& asset) { return asset.path == path; });
  if (found != assets.end()) return serve(*found, request, policy);
  if (assets.empty() && path == kIndex) return serve(kNoDashboard, request, policy);
  ws::HttpResponse response;
  response.status = 404;
  response.body = "there is no such page\n";
  add_security(response, policy);
  return response;
}

}  // namespace aiot::broker
