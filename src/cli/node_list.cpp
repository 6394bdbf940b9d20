#include "cli/node_list.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/targets.h"
#include "core/base/text.h"
#include "core/base/uri.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kMaxNodes = 1'000'000;
constexpr std::size_t kMaxResourcesShown = 6;

std::string member(const ordered_json& node, const char* key) {
  const auto found = node.find(key);
  return found != node.end() && found->is_string() ? found->get<std::string>() : std::string();
}

std::string query_value(const std::string& text) {
  std::string out;
  for (const char c : percent_encode(text)) {
    if (c == '&')
      out += "%26";
    else if (c == '+')
      out += "%2B";
    else if (c == '=')
      out += "%3D";
    else
      out += c;
  }
  return out;
}

std::string local_time(const std::string& rfc3339) {
  auto parsed = parse_time(rfc3339);
  return parsed ? format_local(*parsed) : rfc3339;
}

std::string resources_text(const ordered_json& node) {
  const auto found = node.find("resources");
  if (found == node.end() || !found->is_object()) return {};
  std::string out;
  std::size_t shown = 0;
  for (const auto& [name, resource] : found->items()) {
    if (shown++ == kMaxResourcesShown) {
      out += fmt::format(" +{}", found->size() - kMaxResourcesShown);
      break;
    }
    out += out.empty() ? name : " " + name;
  }
  return out;
}

/// Columns on a terminal, counted in characters: UTF-8 continuation bytes take none.
std::size_t columns(const std::string& text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

/// The error of an answer that is not 200: RFC 9457 problem details where the broker sent them.
Error http_error(const ws::HttpClientResponse& response) {
  Errc code = Errc::peer_failed;
  if (response.status == 401 || response.status == 403) {
    code = Errc::unauthorized;
  } else if (response.status >= 400 && response.status < 500) {
    code = Errc::rejected;
  }
  const ordered_json problem = ordered_json::parse(response.body, nullptr, false);
  std::string message;
  if (problem.is_object()) message = member(problem, problem.contains("detail") ? "detail" : "title");
  if (message.empty()) message = fmt::format("the broker answered HTTP {}", response.status);
  return make_error(code, std::move(message), response.status);
}

}  // namespace

std::string node_page_path(const NodeFilter& filter, const std::string& cursor, std::size_t left) {
  std::string out = fmt::format("/api/v1/nodes?limit={}", left == 0 ? kPage : std::min(left, kPage));
  const auto add = [&](const char* key, const std::string& value) {
    if (!value.empty()) out += fmt::format("&{}={}", key, query_value(value));
  };
  add("state", filter.state);
  add("protocol", filter.protocol);
  add("gateway", filter.gateway);
  for (const std::string& label : filter.labels) add("label", label);
  add("q", filter.query);
  add("cursor", cursor);
  return out;
}

std::string node_table(const std::vector<ordered_json>& nodes, bool colours) {
  constexpr const char* kHeads[] = {"UID",     "STATE",     "PROTOCOL", "GATEWAY",
                                    "ADDRESS", "LAST SEEN", "RESOURCES"};
  std::vector<std::vector<std::string>> rows;
  rows.emplace_back(std::begin(kHeads), std::end(kHeads));
  for (const ordered_json& node : nodes) {
    rows.push_back({member(node, "uid"), member(node, "state"), member(node, "protocol"),
                    member(node, "gateway"), member(node, "address"), local_time(member(node, "last_seen")),
                    resources_text(node)});
    for (std::string& cell : rows.back()) cell = cell.empty() ? "-" : text::escape_controls(cell);
  }
  std::vector<std::size_t> widths(std::size(kHeads), 0);
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], columns(row[i]));
  }
  std::string out;
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) {
      const bool coloured = colours && i == 1 && &row != &rows.front();
      if (coloured) out += row[i] == "live" ? "\x1b[32m" : row[i] == "out" ? "\x1b[31m" : "\x1b[33m";
      out += row[i];
      if (coloured) out += "\x1b[0m";
      if (i + 1 < row.size()) out += std::string(widths[i] - columns(row[i]) + 2, ' ');
    }
    out += '\n';
  }
  return out;
}

std::string node_csv(const ordered_json& node, const std::string& base_uri, bool escape) {
  std::string out;
  const auto found = node.find("resources");
  if (found == node.end() || !found->is_object()) return out;
  const std::string uid = member(node, "uid");
  for (const auto& [name, resource] : found->items()) {
    if (!resource.is_object()) continue;
    ordered_json row = ordered_json::object();
    row["time"] = member(resource, "time");
    row["node"] = uid;
    row["resource"] = name;
    row["uri"] = base_uri + "/" + percent_encode(uid) + "/" + percent_encode(name);
    for (const char* key : {"value", "number", "unit"}) {
      if (resource.contains(key) && !resource[key].is_null()) row[key] = resource[key];
    }
    out += csv_line(row, escape);
  }
  return out;
}

NodeList::NodeList(Context& context, ws::Endpoint endpoint, const std::string& token, NodeFilter filter)
    : context_(context), runner_(context), endpoint_(std::move(endpoint)), filter_(std::move(filter)) {
  headers_.emplace_back("accept", "application/json");
  if (!token.empty()) headers_.emplace_back("authorization", "Bearer " + token);
  base_uri_ = broker_base(endpoint_);
}

NodeList::~NodeList() = default;

int NodeList::run() {
  if (context_.settings().output == OutputFormat::csv) context_.output().write(kCsvHeader);
  ask({});
  const int status = runner_.run();
  operation_.cancel();
  return status;
}

void NodeList::ask(const std::string& cursor) {
  ws::HttpClientRequest request;
  request.path = node_page_path(filter_, cursor, filter_.limit == 0 ? 0 : filter_.limit - seen_);
  request.headers = headers_;
  request.timeout = context_.settings().timeout;
  operation_ =
      ws::http_request(context_.loop(), endpoint_, std::move(request),
                       [this](Result<ws::HttpClientResponse> result) { answered(std::move(result)); });
}

void NodeList::answered(Result<ws::HttpClientResponse> result) {
  if (!result) return runner_.finish(context_.fail(result.error(), base_uri_));
  if (result->status != 200) return runner_.finish(context_.fail(http_error(*result), base_uri_));
  auto next = take_page(result->body);
  if (!next) return runner_.finish(context_.fail(next.error(), base_uri_));
  const bool enough = seen_ >= kMaxNodes || (filter_.limit > 0 && seen_ >= filter_.limit);
  if (!next->empty() && !enough && !runner_.finished()) return ask(*next);
  if (context_.settings().output == OutputFormat::text) {
    context_.output().write(node_table(table_, colours_on(STDOUT_FILENO)));
  }
  runner_.finish(kDone);
}

Result<std::string> NodeList::take_page(const std::string& body) {
  const ordered_json page = ordered_json::parse(body, nullptr, false);
  if (!page.is_object() || !page.contains("items") || !page["items"].is_array()) {
    return make_error(Errc::peer_failed, "the broker's list of nodes is malformed");
  }
  for (const ordered_json& node : page["items"]) {
    if (filter_.limit > 0 && seen_ >= filter_.limit) break;
    ++seen_;
    print(node);
  }
  // A broker that names the next page but gives nothing would be asked for ever.
  if (page["items"].empty()) return std::string();
  return member(page, "next");
}

void NodeList::print(const ordered_json& node) {
  switch (context_.settings().output) {
    case OutputFormat::json: context_.output().line(json_line(node)); break;
    case OutputFormat::csv:
      context_.output().write(node_csv(node, base_uri_, context_.output().is_terminal()));
      break;
    case OutputFormat::text: table_.push_back(node); break;
  }
}

}  // namespace aiot::cli
