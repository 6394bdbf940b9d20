#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/base/text.h"
#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest.h"
#include "daemon/wire/json_reader.h"

namespace aiot::broker {
namespace {

/// What a list asks for.
struct NodeFilter {
  std::string_view state, gateway;
  std::string protocol, word;  ///< lower case
  const Scope& scope;
  std::vector<std::pair<std::string_view, std::string_view>> labels;  ///< all of them; an empty value is any

  [[nodiscard]] bool takes(const Node& node) const {
    if (node.hidden || !labelled(node)) return false;
    if (!state.empty() && state != to_string(node.state)) return false;
    if (!gateway.empty() && gateway != node.owner->name) return false;
    if (!protocol.empty() && protocol != text::lower(node.protocol)) return false;
    return word.empty() || text::lower(node.uid).find(word) != std::string::npos ||
           text::lower(node.address).find(word) != std::string::npos || named(node);
  }
  [[nodiscard]] bool labelled(const Node& node) const {
    return std::all_of(labels.begin(), labels.end(), [&](const auto& wanted) {
      return std::any_of(node.labels.begin(), node.labels.end(), [&](const auto& label) {
        return label.first == wanted.first && (wanted.second.empty() || label.second == wanted.second);
      });
    });
  }
  /// Nodes often tell their own name or board.
  [[nodiscard]] bool named(const Node& node) const {
    for (const std::string_view name : {"name", "board"}) {
      const Resource* resource = node.find(name);
      if (resource != nullptr && scope.covers_resource(name) &&
          text::lower(resource->bytes).find(word) != std::string::npos)
        return true;
    }
    return false;
  }
};

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
  const auto limit = parse_limit(call.parameter("limit"), kDefaultPage, kMaxPage);
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

constexpr std::size_t kMaxLabels = 64, kMaxLabelName = 63, kMaxLabelValue = 255;

bool is_label_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxLabelName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == '/';
  });
}

/// `{"labels":{NAME:VALUE or null}}`.
Result<std::vector<std::pair<std::string, std::string>>> parse_labels(std::string_view body) {
  std::vector<std::pair<std::string, std::string>> out;
  wire::JsonReader reader(body);
  std::string_view name;
  bool found = false;
  reader.enter_object();
  while (reader.next_member(name)) {
    if (name != "labels") {
      reader.skip();
      continue;
    }
    found = true;
    std::string_view label;
    reader.enter_object();
    while (reader.next_member(label)) {
      if (!is_label_name(label)) {
        return make_error(
            Errc::usage,
            fmt::format("a label's name has 1 to {} letters, digits and any of _-./", kMaxLabelName));
      }
      auto& [key, value] = out.emplace_back(std::string(label), std::string());
      if (reader.peek() == wire::JsonReader::Kind::null) {
        reader.skip();
      } else {
        reader.read_string(value, kMaxLabelValue);
      }
    }
  }
  if (!reader.finish()) return make_error(Errc::usage, "the labels: " + reader.error().message);
  if (!found) return make_error(Errc::usage, "the body has no \"labels\"");
  if (out.size() > kMaxLabels)
    return make_error(Errc::usage, fmt::format("a node has up to {} labels", kMaxLabels));
  return out;
}

}  // namespace

std::optional<std::size_t> parse_limit(std::string_view text, std::size_t otherwise, std::size_t most) {
  if (text.empty()) return otherwise;
  std::size_t limit = 0;
  const auto [end, code] = std::from_chars(text.data(), text.data() + text.size(), limit);
  if (code != std::errc() || end != text.data() + text.size() || limit == 0 || limit > most)
    return std::nullopt;
  return limit;
}

/// For the record: who did `what`, which is the event's type.
void note(const RestServices& services, std::string_view what, const RestCall& call, const Node* node) {
  std::string data;
  wire::JsonWriter json(data);
  json.open_object();
  json.string("by", call.principal.label());
  json.close_object();
  const std::string gateway = node != nullptr ? node->owner->name : std::string();
  services.records.event({what,
                          gateway,
                          call.path[0],
                          fmt::format("node {} was {} by {}", call.path[0], what, call.principal.label()),
                          {},
                          std::move(data)});
}

void label_node(const RestServices& services, RestCall call) {
  const auto labels = parse_labels(call.request.body);
  if (!labels) return call.reply(problem(400, labels.error()));
  const Node* node = services.table.find(call.path[0]);
  std::size_t count = 0;
  if (node != nullptr) {
    count = static_cast<std::size_t>(std::count_if(labels->begin(), labels->end(),
                                                   [](const auto& label) { return !label.second.empty(); }));
    for (const auto& label : node->labels)
      count += std::none_of(labels->begin(), labels->end(),
                            [&](const auto& given) { return given.first == label.first; });
  }
  if (count > kMaxLabels) {
    return call.reply(problem(400, Errc::usage, fmt::format("a node has up to {} labels", kMaxLabels)));
  }
  if (!services.routing.label(call.path[0], *labels)) {
    return call.reply(problem(404, Errc::rejected, fmt::format("no node is named {}", call.path[0])));
  }
  note(services, "labelled", call, node);
  show_node(services, std::move(call));
}

void list_nodes(const RestServices& services, RestCall call) {
  const auto page = parse_page(call);
  if (!page) return;
  NodeFilter filter{
      call.parameter("state"),          call.parameter("gateway"), text::lower(call.parameter("protocol")),
      text::lower(call.parameter("q")), call.principal.scope,      {}};
  const auto [first, last] = call.query.equal_range("label");
  for (auto at = first; at != last; ++at) {
    const std::string_view label = at->second;
    const auto equals = std::min(label.find('='), label.size());
    if (!label.empty())
      filter.labels.emplace_back(label.substr(0, equals), label.substr(std::min(equals + 1, label.size())));
  }
  if (!filter.state.empty() && filter.state != "live" && filter.state != "stale" && filter.state != "out") {
    return call.reply(problem(400, Errc::usage, "state is live, stale or out"));
  }
  std::vector<const Node*> found;
  for (const auto& node : services.table.slots()) {
    const bool next = node && (page->after.empty() || node->uid > page->after);
    if (next && call.principal.scope.covers_node(node->uid) && filter.takes(*node))
      found.push_back(node.get());
  }
  const bool more =
      first_page(found, page->limit, [](const Node& node) -> const std::string& { return node.uid; });
  Page out;
  for (const Node* node : found) write_node(out.json, *node, call.principal.scope);
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
  for (const GatewayRecord* gateway : found)
    write_gateway(out.json, *gateway, services.access.credential(gateway->credential, gateway->proof));
  call.reply(json_response(out.finish(found.empty() ? "" : found.back()->name, more)));
}

void show_node(const RestServices& services, RestCall call) {
  const Node* node = services.table.find(call.path[0]);
  if (node == nullptr || node->hidden) {
    return call.reply(problem(404, Errc::rejected, fmt::format("no node is named {}", call.path[0])));
  }
  std::string body;
  wire::JsonWriter json(body);
  write_node(json, *node, call.principal.scope);
  call.reply(json_response(std::move(body)));
}

void forget_node(const RestServices& services, RestCall call) {
  if (!services.routing.forget(call.path[0])) {
    return call.reply(problem(404, Errc::rejected, fmt::format("no node is named {}", call.path[0])));
  }
  note(services, "forgotten", call, nullptr);
  ws::HttpResponse response;
  response.status = 204;
  call.reply(std::move(response));
}

}  // namespace aiot::broker
