#include "cli/node_list.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/text_table.h"
#include "core/base/text.h"
#include "core/base/uri.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

constexpr std::size_t kPage = 1000;
constexpr std::size_t kMaxNodes = 1'000'000;
constexpr std::size_t kMaxResourcesShown = 6;

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

std::string labels_text(const ordered_json& node) {
  const auto found = node.find("labels");
  if (found == node.end() || !found->is_object()) return {};
  std::string out;
  for (const auto& [name, value] : found->items()) {
    out += fmt::format("{}{}={}", out.empty() ? "" : ",", name, member(*found, name));
  }
  return out;
}

/// A figure of the node's "stats"; negative when the broker has none.
double stat(const ordered_json& node, const char* key) {
  const auto stats = node.find("stats");
  if (stats == node.end() || !stats->is_object()) return -1;
  const auto found = stats->find(key);
  return found != stats->end() && found->is_number() ? found->get<double>() : -1;
}

std::string count_text(const ordered_json& node, const char* key) {
  const double value = stat(node, key);
  return value < 0 ? std::string() : fmt::format("{:.0f}", value);
}

std::string interval_text(const ordered_json& node) {
  const double seconds = stat(node, "interval_s");
  if (seconds < 0 || seconds > 1e9) return {};
  // Three digits tell enough of an average.
  const double unit = std::pow(10.0, std::floor(std::log10(std::max(seconds, 1e-3))) - 2);
  const auto rounded = std::max(std::round(seconds / unit) * unit, 1e-3);
  return format_duration(std::chrono::milliseconds(std::llround(rounded * 1000)));
}

/// What nodes are compared by; absent: they come last.
std::optional<double> figure(const ordered_json& node, const std::string& order) {
  if (order == "state") {
    const std::string state = member(node, "state");
    return state == "live" ? 0 : state == "stale" ? 1 : 2;
  }
  if (order == "last-seen" || order == "first-seen") {
    const auto time = parse_time(member(node, order == "last-seen" ? "last_seen" : "first_seen"));
    if (!time) return std::nullopt;
    return static_cast<double>(time->time_since_epoch().count());
  }
  const double value = stat(node, order == "interval" ? "interval_s" : order.c_str());
  return value < 0 ? std::nullopt : std::optional(value);
}

const char* state_colour(std::size_t column, const std::string& cell) {
  if (column != 1) return nullptr;
  return cell == "live" ? "\x1b[32m" : cell == "out" ? "\x1b[31m" : "\x1b[33m";
}

}  // namespace

std::string node_page_path(const NodeFilter& filter, const std::string& cursor, std::size_t left) {
  const std::string limit = std::to_string(left == 0 ? kPage : std::min(left, kPage));
  std::vector<std::pair<std::string_view, std::string_view>> query = {
      {"limit", limit}, {"state", filter.state}, {"protocol", filter.protocol}, {"gateway", filter.gateway}};
  for (const std::string& label : filter.labels) query.emplace_back("label", label);
  query.emplace_back("q", filter.query);
  query.emplace_back("cursor", cursor);
  return api_path("nodes", query);
}

void sort_nodes(std::vector<ordered_json>& nodes, const std::string& order) {
  const bool falling = order.rfind('-', 0) == 0;
  const std::string name = order.substr(falling ? 1 : 0);
  if (name == "uid") {
    std::stable_sort(nodes.begin(), nodes.end(), [falling](const ordered_json& a, const ordered_json& b) {
      return falling ? member(b, "uid") < member(a, "uid") : member(a, "uid") < member(b, "uid");
    });
    return;
  }
  std::vector<std::pair<std::optional<double>, std::size_t>> keys;
  keys.reserve(nodes.size());
  for (std::size_t i = 0; i < nodes.size(); ++i) keys.emplace_back(figure(nodes[i], name), i);
  std::stable_sort(keys.begin(), keys.end(), [falling](const auto& a, const auto& b) {
    if (!a.first || !b.first) return a.first.has_value() && !b.first.has_value();
    return falling ? *b.first < *a.first : *a.first < *b.first;
  });
  std::vector<ordered_json> sorted;
  sorted.reserve(nodes.size());
  for (const auto& key : keys) sorted.push_back(std::move(nodes[key.second]));
  nodes = std::move(sorted);
}

std::string node_table(const std::vector<ordered_json>& nodes, bool colours) {
  TextTable table({"UID", "STATE", "PROTOCOL", "GATEWAY", "ADDRESS", "FIRST SEEN", "LAST SEEN", "INTERVAL",
                   "RESETS", "TIMEOUTS", "REJECTED", "LABELS", "RESOURCES"});
  for (const ordered_json& node : nodes) {
    table.add({member(node, "uid"), member(node, "state"), member(node, "protocol"), member(node, "gateway"),
               member(node, "address"), local_time(member(node, "first_seen")),
               local_time(member(node, "last_seen")), interval_text(node), count_text(node, "resets"),
               count_text(node, "timeouts"), count_text(node, "rejected_writes"), labels_text(node),
               resources_text(node)});
  }
  return table.text(colours ? state_colour : nullptr);
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

NodeList::NodeList(Context& context, BrokerApi api, NodeFilter filter, std::string order)
    : context_(context),
      runner_(context),
      api_(std::move(api)),
      filter_(std::move(filter)),
      order_(std::move(order)) {}

NodeList::~NodeList() = default;

int NodeList::run() {
  if (context_.settings().output == OutputFormat::csv) context_.output().write(kCsvHeader);
  ask({});
  const int status = runner_.run();
  operation_.cancel();
  return status;
}

bool NodeList::enough() const {
  return seen_ >= kMaxNodes || (order_.empty() && filter_.limit > 0 && seen_ >= filter_.limit);
}

void NodeList::ask(const std::string& cursor) {
  const std::size_t left = filter_.limit == 0 || !order_.empty() ? 0 : filter_.limit - seen_;
  operation_ = api_.get(node_page_path(filter_, cursor, left),
                        [this](Result<ordered_json> page) { answered(std::move(page)); });
}

void NodeList::answered(Result<ordered_json> page) {
  auto next = page ? take_page(*page) : Result<std::string>(page.error());
  if (!next) return runner_.finish(context_.fail(next.error(), api_.base_uri()));
  if (!next->empty() && !enough() && !runner_.finished()) return ask(*next);
  finish();
}

Result<std::string> NodeList::take_page(const ordered_json& page) {
  const auto items = page.find("items");
  if (items == page.end() || !items->is_array()) {
    return make_error(Errc::peer_failed, "the broker's list of nodes is malformed");
  }
  for (const ordered_json& node : *items) {
    if (enough()) break;
    ++seen_;
    if (order_.empty() && context_.settings().output != OutputFormat::text) {
      print(node);
    } else {
      held_.push_back(node);
    }
  }
  // A broker that names the next page but gives nothing would be asked for ever.
  if (items->empty()) return std::string();
  return member(page, "next");
}

void NodeList::finish() {
  if (!order_.empty()) {
    sort_nodes(held_, order_);
    if (filter_.limit > 0 && held_.size() > filter_.limit) held_.resize(filter_.limit);
  }
  if (context_.settings().output == OutputFormat::text) {
    context_.output().write(node_table(held_, colours_on(STDOUT_FILENO)));
  } else {
    for (const ordered_json& node : held_) print(node);
  }
  runner_.finish(kDone);
}

void NodeList::print(const ordered_json& node) {
  if (context_.json()) return context_.output().line(json_line(node));
  context_.output().write(node_csv(node, api_.base_uri(), context_.output().is_terminal()));
}

}  // namespace aiot::cli
