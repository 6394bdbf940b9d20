#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest.h"

namespace aiot::broker {
namespace {

/// What a list asks for.
struct NodeFilter {
  std::string_view state, gateway;
  std::string protocol, word;  ///< lower case
  bool label = false;

  [[nodiscard]] bool takes(const Node& node) const {
    if (node.hidden || label) return false;  // no node has a label yet
    if (!state.empty() && state != to_string(node.state)) return false;
    if (!gateway.empty() && gateway != node.owner->name) return false;
    if (!protocol.empty() && protocol != text::lower(node.protocol)) return false;
    return word.empty() || text::lower(node.uid).find(word) != std::string::npos ||
           text::lower(node.address).find(word) != std::string::npos || named(node);
  }
  /// Nodes often tell their own name or board.
  [[nodiscard]] bool named(const Node& node) const {
    for (const std::string_view name : {"name", "board"}) {
      const Resource* resource = node.find(name);
      if (resource != nullptr && text::lower(resource->bytes).find(word) != std::string::npos) return true;
    }
    return false;
  }
};

/// 1 to kMaxPage; nothing for anything else.
std::optional<std::size_t> parse_limit(std::string_view text) {
  if (text.empty()) return kDefaultPage;
  std::size_t limit = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (code != std::errc() || end != text.data() + text.size() || limit == 0 || limit > kMaxPage)
    return std::nullopt;
  return limit;
}

/// Begins a page, `{"items":[` ... and ends it with the cursor of the next.
struct Page {
  std::string body;
  wire::JsonWriter json{body};

  Page() {
    json.open_object();
    json.open_array("items");
  }
  std::string finish(std::string_view last_name, bool more) {
    json.close_array();
    if (more) {
      json.string("next", text::base64url(last_name));
    } else {
      json.name("next");
      json.raw("null");
    }
    json.close_object();
    return std::move(body);
  }
};

struct PageQuery {
  std::size_t limit = kDefaultPage;
  std::string after;  ///< the last name of the page before
};

std::optional<PageQuery> parse_page(RestCall& call) {
  const auto limit = parse_limit(call.parameter("limit"));
  if (!limit) {
    call.reply(problem(400, Errc::usage, fmt::format("limit is a number from 1 to {}", kMaxPage)));
    return std::nullopt;
  }
  auto after = text::decode_base64(call.parameter("cursor"));
  if (!after) {
    call.reply(problem(400, Errc::usage, "the cursor is not one that a list gave"));
    return std::nullopt;
  }
  return PageQuery{*limit, std::move(*after)};
}

/// The first `limit` of `found` by name, in order; true when there are more.
template <class T, class Name>
bool first_page(std::vector<const T*>& found, std::size_t limit, Name name) {
  const auto before = [&](const T* a, const T* b) { return name(*a) < name(*b); };
  const bool more = found.size() > limit;
  if (more) {
    std::nth_element(found.begin(), found.begin() + static_cast<std::ptrdiff_t>(limit), found.end(), before);
    found.resize(limit);
  }
  std::sort(found.begin(), found.end(), before);
  return more;
}

}  // namespace

void list_nodes(const RestServices& services, RestCall call) {
  const auto page = parse_page(call);
  if (!page) return;
  const NodeFilter filter{call.parameter("state"), call.parameter("gateway"),
                          text::lower(call.parameter("protocol")), text::lower(call.parameter("q")),
                          !call.parameter("label").empty()};
  if (!filter.state.empty() && filter.state != "live" && filter.state != "stale" && filter.state != "out") {
    return call.reply(problem(400, Errc::usage, "state is live, stale or out"));
  }
  std::vector<const Node*> found;
  for (const auto& node : services.table.slots()) {
    if (node && (page->after.empty() || node->uid > page->after) && filter.takes(*node))
      found.push_back(node.get());
  }
  const bool more =
      first_page(found, page->limit, [](const Node& node) -> const std::string& { return node.uid; });
  Page out;
  for (const Node* node : found) write_node(out.json, *node);
  call.reply(json_response(out.finish(found.empty() ? "" : found.back()->uid, more)));
}

void list_gateways(const RestServices& services, RestCall call) {
  const auto page = parse_page(call);
  if (!page) return;
  std::vector<const GatewayRecord*> found;
  for (const auto& [name, gateway] : services.table.gateways()) {
    if (page->after.empty() || name > page->after) found.push_back(gateway.get());
  }
  const bool more = first_page(
      found, page->limit, [](const GatewayRecord& gateway) -> const std::string& { return gateway.name; });
  Page out;
  for (const GatewayRecord* gateway : found) write_gateway(out.json, *gateway);
  call.reply(json_response(out.finish(found.empty() ? "" : found.back()->name, more)));
}

void show_node(const RestServices& services, RestCall call) {
  const Node* node = services.table.find(call.path[0]);
  if (node == nullptr || node->hidden) {
    return call.reply(problem(404, Errc::rejected, fmt::format("no node is named {}", call.path[0])));
  }
  std::string body;
  wire::JsonWriter json(body);
  write_node(json, *node);
  call.reply(json_response(std::move(body)));
}

void forget_node(const RestServices& services, RestCall call) {
  if (!services.routing.forget(call.path[0])) {
    return call.reply(problem(404, Errc::rejected, fmt::format("no node is named {}", call.path[0])));
  }
  ws::HttpResponse response;
  response.status = 204;
  call.reply(std::move(response));
}

}  // namespace aiot::broker
