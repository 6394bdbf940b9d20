#include "daemon/broker/rest.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "core/base/text.h"
#include "core/base/uri.h"
#include "daemon/broker/problem.h"
#include "daemon/wire/json_writer.h"

namespace aiot::broker {
namespace {

constexpr std::array kRoutes = {
    RestRoute{"GET", "session", show_session, Role::none},
    RestRoute{"GET", "nodes", list_nodes},
    RestRoute{"GET", "nodes/{}", show_node},
    RestRoute{"DELETE", "nodes/{}", forget_node, Role::admin},
    RestRoute{"PATCH", "nodes/{}", label_node, Role::operator_},
    RestRoute{"GET", "nodes/{}/resources/{}", read_resource},
    RestRoute{"PUT", "nodes/{}/resources/{}", write_resource, Role::operator_},
    RestRoute{"POST", "nodes/{}/resources/{}", write_resource, Role::operator_},
    RestRoute{"DELETE", "nodes/{}/resources/{}", write_resource, Role::operator_},
    RestRoute{"GET", "gateways", list_gateways, Role::viewer, true},
    RestRoute{"GET", "history", show_history},
    RestRoute{"POST", "history", import_history, Role::admin, true},
    RestRoute{"GET", "events", list_events},
    RestRoute{"GET", "status", show_status, Role::viewer, true},
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

/// Why this route is not for him; nothing when it is.
std::optional<ws::HttpResponse> refuse(const RestRoute& route, const Principal& who) {
  if (who.role < route.needs) {
    if (who.kind == Principal::Kind::anonymous) return unauthorized("log in, or send a token");
    return problem(403, Errc::unauthorized,
                   fmt::format("this needs the role {}, and {} has {}", to_string(route.needs), who.name,
                               to_string(who.role)));
  }
  if (route.everything && !who.scope.whole()) {
    return problem(403, Errc::unauthorized, "a token for some nodes or resources only cannot have this");
  }
  return std::nullopt;
}

/// The node and resource of the path are of those he may know of; else he was answered. Whether they exist
/// does not show.
bool covers(RestCall& call) {
  const Scope& scope = call.principal.scope;
  const bool node = call.path.empty() || scope.covers_node(call.path[0]);
  if (node && (call.path.size() < 2 || scope.covers_resource(call.path[1]))) return true;
  call.reply(problem(
      403, Errc::unauthorized,
      fmt::format("the token is not for {}", node ? call.path[0] + "/" + call.path[1] : call.path[0])));
  return false;
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

void show_session(const RestServices&, RestCall call) {
  const Principal& who = call.principal;
  std::string body;
  wire::JsonWriter json(body);
  json.open_object();
  json.string("name", who.name);
  json.string("role", to_string(who.role));
  json.boolean("login", who.kind == Principal::Kind::user);
  if (who.expires) json.string("expires", format_utc(*who.expires));
  for (const auto& [name, patterns] :
       {std::pair("nodes", &who.scope.nodes), {"resources", &who.scope.resources}}) {
    if (patterns->empty()) continue;
    json.open_array(name);
    for (const std::string& pattern : *patterns) json.string(pattern);
    json.close_array();
  }
  json.close_object();
  call.reply(json_response(std::move(body)));
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
    if (auto refusal = refuse(route, call.principal)) return call.reply(std::move(*refusal));
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
    if (!covers(call)) return;
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
