#include "daemon/broker/rest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/base/text.h"
#include "core/base/uri.h"
#include "daemon/broker/problem.h"

namespace aiot::broker {
namespace {

constexpr std::array kRoutes = {
    RestRoute{"GET", "nodes", list_nodes},
    RestRoute{"GET", "nodes/{}", show_node},
    RestRoute{"DELETE", "nodes/{}", forget_node, true},
    RestRoute{"PATCH", "nodes/{}", label_node, true},
    RestRoute{"GET", "nodes/{}/resources/{}", read_resource},
    RestRoute{"PUT", "nodes/{}/resources/{}", write_resource, true},
    RestRoute{"POST", "nodes/{}/resources/{}", write_resource, true},
    RestRoute{"DELETE", "nodes/{}/resources/{}", write_resource, true},
    RestRoute{"GET", "gateways", list_gateways},
    RestRoute{"GET", "history", show_history},
    RestRoute{"POST", "history", import_history, true},
    RestRoute{"GET", "events", list_events},
    RestRoute{"GET", "status", show_status},
    RestRoute{"GET", "dashboard", show_dashboard},
};

/// Decodes a query's text: percent-encoding, and '+' for a space.
std::optional<std::string> decode_query(std::string_view text) {
  std::string spaced(text);
  std::replace(spaced.begin(), spaced.end(), '+', ' ');
  auto decoded = percent_decode(spaced);
  if (!decoded) return std::nullopt;
  return std::move(*decoded);
}

bool parse_query(std::string_view query, std::multimap<std::string, std::string>& out) {
  if (query.empty()) return true;
  for (const std::string_view item : text::split(query, '&')) {
    const auto equals = item.find('=');
    auto name = decode_query(item.substr(0, equals));
    auto value = decode_query(equals == std::string_view::npos ? "" : item.substr(equals + 1));
    if (!name || !value) return false;
    out.emplace(std::move(*name), std::move(*value));
  }
  return true;
}

/// The segments at the pattern's `{}`, when the path has its shape.
std::optional<std::vector<std::string_view>> match(std::string_view pattern,
                                                   const std::vector<std::string_view>& segments) {
  const auto wanted = text::split(pattern, '/');
  if (wanted.size() != segments.size()) return std::nullopt;
  std::vector<std::string_view> found;
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    if (wanted[i] == "{}") {
      found.push_back(segments[i]);
    } else if (wanted[i] != segments[i]) {
      return std::nullopt;
    }
  }
  return found;
}

ws::HttpResponse not_found() {
  return problem(404, Errc::rejected, "there is no such path; docs/openapi.yaml describes the API");
}

}  // namespace

std::span<const RestRoute> rest_routes() { return kRoutes; }

std::string_view RestCall::parameter(const std::string& name) const {
  const auto behind = query.upper_bound(name);
  if (behind == query.begin()) return {};
  const auto last = std::prev(behind);
  return last->first == name ? std::string_view(last->second) : std::string_view();
}

void Rest::handle(ws::HttpRequest request, ws::HttpResponder responder, Principal principal) {
  RestCall call{std::move(request), std::move(responder), std::move(principal), {}, {}};
  const std::string_view path = std::string_view(call.request.path).substr(kApiPrefix.size());
  const auto segments = text::split(path, '/');
  const std::string_view method =
      call.request.method == "HEAD" ? "GET" : std::string_view(call.request.method);
  std::string allowed;
  for (const RestRoute& route : kRoutes) {
    const auto found = match(route.pattern, segments);
    if (!found) continue;
    if (route.method != method) {
      allowed += (allowed.empty() ? "" : ", ") + std::string(route.method);
      continue;
    }
    if (route.writes ? !call.principal.may_write : !call.principal.may_read) {
      return call.reply(problem(403, Errc::unauthorized, "not allowed"));
    }
    for (const std::string_view segment : *found) {
      auto decoded = percent_decode(segment);
      if (!decoded) return call.reply(problem(400, Errc::usage, decoded.error().message));
      call.path.push_back(std::move(*decoded));
    }
    if (!call.path.empty() && (call.path[0].empty() || call.path[0].size() > kMaxUid)) {
      return call.reply(problem(400, Errc::usage, fmt::format("a uid has 1 to {} bytes", kMaxUid)));
    }
    if (call.path.size() > 1 && call.path[1].size() > kMaxResource) {
      return call.reply(
          problem(400, Errc::usage, fmt::format("a resource's name has up to {} bytes", kMaxResource)));
    }
    if (!parse_query(call.request.query, call.query)) {
      return call.reply(problem(400, Errc::usage, "the query is not percent-encoded as it should be"));
    }
    return route.handler(services_, std::move(call));
  }
  if (allowed.empty()) return call.reply(not_found());
  ws::HttpResponse response =
      problem(405, Errc::usage, fmt::format("{} is not possible here", call.request.method));
  response.headers.emplace_back("allow", std::move(allowed));
  call.reply(std::move(response));
}

}  // namespace aiot::broker
