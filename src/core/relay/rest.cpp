#include "core/relay/rest.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "core/codec/value.h"

namespace aiot::relay {

namespace {

using nlohmann::json;

constexpr int kPageSize = 500;
/// What the broker has for its own deadline before this side gives up, so that its verdict arrives.
constexpr Duration kVerdictGrace = std::chrono::milliseconds(500);

std::string text_of(const json& object, const char* name) {
  const auto found = object.find(name);
  return found != object.end() && found->is_string() ? found->get<std::string>() : std::string();
}

Error malformed(std::string_view what) {
  return make_error(Errc::peer_failed, fmt::format("the broker's answer is malformed: {}", what));
}

/// The JSON document `body`, which must be an object.
Result<json> object_of(std::string_view body) {
  auto parsed = parse_json(body);
  if (!parsed) return malformed(parsed.error().message);
  if (!parsed->is_object()) return malformed("it is not an object");
  return parsed;
}

/// The bytes that present_value() showed.
std::string bytes_of(const json& object) {
  const auto found = object.find("value");
  if (found == object.end()) return {};
  if (!found->is_string()) return found->dump(-1, ' ', false, json::error_handler_t::replace);
  const auto& value = found->get_ref<const std::string&>();
  if (text_of(object, "encoding") == "base64") {
    if (auto bytes = text::decode_base64(value)) return *std::move(bytes);
  }
  return value;
}

std::optional<std::uint16_t> format_of(const json& object) {
  const auto name = text_of(object, "format");
  if (name.empty()) return std::nullopt;
  const auto format = parse_content_format(name);
  return format ? std::optional(*format) : std::nullopt;
}

std::optional<WallTime> time_of(const json& object) {
  const auto text = text_of(object, "time");
  if (text.empty()) return std::nullopt;
  const auto time = parse_time(text);
  return time ? std::optional(*time) : std::nullopt;
}

std::optional<NodeState> state_of(std::string_view name) {
  for (const auto state : {NodeState::live, NodeState::stale, NodeState::out}) {
    if (name == to_string(state)) return state;
  }
  return std::nullopt;
}

Result<HeldNode> node_of(const json& object) {
  if (!object.is_object()) return malformed("a node is not an object");
  HeldNode node;
  node.uid = text_of(object, "uid");
  if (node.uid.empty()) return malformed("a node has no uid");
  node.protocol = text_of(object, "protocol");
  node.gateway = text_of(object, "gateway");
  node.address = text_of(object, "address");
  node.state = state_of(text_of(object, "state")).value_or(NodeState::live);
  const auto resources = object.find("resources");
  if (resources == object.end() || !resources->is_object()) return node;
  for (const auto& [name, value] : resources->items()) {
    if (!value.is_object())
      return malformed(fmt::format("resource {} of {} is not an object", name, node.uid));
    node.resources.emplace(name, HeldValue{bytes_of(value), format_of(value), time_of(value)});
  }
  return node;
}

Errc errc_of_status(int status) {
  switch (status) {
    case 401:
    case 403: return Errc::unauthorized;
    case 409: return Errc::unreachable;
    case 502: return Errc::rejected;
    case 504: return Errc::timeout;
    default: return status >= 400 && status < 500 ? Errc::rejected : Errc::peer_failed;
  }
}

/// The error code that a problem's type ends in.
std::optional<Errc> errc_of_type(std::string_view type) {
  const auto slash = type.find_last_of("/#:");
  const auto name = slash == std::string_view::npos ? type : type.substr(slash + 1);
  for (const auto code : {Errc::internal, Errc::usage, Errc::unreachable, Errc::timeout, Errc::rejected,
                          Errc::peer_failed, Errc::unauthorized, Errc::partial}) {
    if (name == to_string(code)) return code;
  }
  return std::nullopt;
}

Outcome outcome_of(std::string_view name, Errc code) {
  for (const auto outcome : {Outcome::not_sent, Outcome::rejected, Outcome::unknown}) {
    if (name == to_string(outcome)) return outcome;
  }
  switch (code) {
    case Errc::timeout:
    case Errc::peer_failed:
    case Errc::internal: return Outcome::unknown;
    case Errc::rejected: return Outcome::rejected;
    default: return Outcome::not_sent;
  }
}

/// "4.05" as 405.
int native_of(std::string_view code) {
  if (code.size() != 4 || code[1] != '.') return 0;
  int number = 0;
  for (const auto i : {0U, 2U, 3U}) {
    if (code[i] < '0' || code[i] > '9') return 0;
    number = number * 10 + (code[i] - '0');
  }
  return number;
}

void authorize(ws::HttpClientRequest& request, const std::string& token) {
  request.headers.emplace_back("accept", "application/json, application/problem+json");
  if (!token.empty()) request.headers.emplace_back("authorization", "Bearer " + token);
}

}  // namespace

Result<void> check_request(const Request& request, bool observing) {
  const auto refuse = [&](std::string_view why) {
    return make_error(Errc::usage, fmt::format("{}: {}", request.uri.text, why));
  };
  const auto target = target_of(request.uri);
  if (target.uid.empty() || target.resource.empty()) {
    return refuse("a broker's URI names a node and a resource, as in aiot://HOST/UID/RESOURCE");
  }
  if (target.uid.size() > kMaxUid) return refuse(fmt::format("the uid is longer than {} bytes", kMaxUid));
  if (target.resource.size() > kMaxResource) {
    return refuse(fmt::format("the resource's name is longer than {} bytes", kMaxResource));
  }
  if (!observing && target.is_pattern()) {
    return refuse(
        fmt::format("'*' can be read and observed; {} is for one resource", to_string(request.method)));
  }
  // A write without its precondition is another write.
  if (!request.if_match.empty()) return refuse("If-Match does not reach a node through a broker");
  switch (request.method) {
    case Method::get:
    case Method::put:
    case Method::post:
    case Method::del: break;
    default:
      return refuse(fmt::format("{} is not possible through a broker ({})", to_string(request.method),
                                request.uri.scheme));
  }
  if (request.payload.size() > kMaxValue) {
    return refuse(fmt::format("the value is longer than {} bytes", kMaxValue));
  }
  return {};
}

ws::HttpClientRequest http_of(const Request& request, const std::string& token) {
  const auto target = target_of(request.uri);
  ws::HttpClientRequest http;
  http.method = to_string(request.method);
  http.path = fmt::format("/api/v1/nodes/{}/resources/{}", percent_encode(target.uid),
                          percent_encode(target.resource));
  http.timeout = request.timeout;
  authorize(http, token);
  const bool write = is_write(request.method);
  std::string query;
  const auto add = [&](std::string_view item) {
    query += fmt::format("{}{}", query.empty() ? "?" : "&", item);
  };
  if (request.live) add("live=true");
  if (write || request.live) {
    add("timeout=" + format_duration(request.timeout));
    http.timeout += kVerdictGrace;
  }
  if (write && request.expires) add("expires=" + format_duration(*request.expires));
  http.path += query;
  if (!write) return http;
  if (!request.id.empty()) http.headers.emplace_back("idempotency-key", request.id);
  if (request.method == Method::del) return http;
  http.headers.emplace_back("content-type", "application/json");
  json body = json::object();
  if (text::is_utf8(request.payload)) {
    body["value"] = request.payload;
  } else {
    body["value"] = text::base64(request.payload);
    body["encoding"] = "base64";
  }
  if (request.content_format) body["format"] = content_format_name(*request.content_format);
  http.body = body.dump();
  return http;
}

ws::HttpClientRequest node_request(const std::string& uid, const std::string& token, Duration timeout) {
  ws::HttpClientRequest http;
  http.path = "/api/v1/nodes/" + percent_encode(uid);
  http.timeout = timeout;
  authorize(http, token);
  return http;
}

ws::HttpClientRequest page_request(const std::string& cursor, const std::string& token, Duration timeout) {
  ws::HttpClientRequest http;
  http.path = fmt::format("/api/v1/nodes?limit={}", kPageSize);
  if (!cursor.empty()) http.path += "&cursor=" + percent_encode(cursor);
  http.timeout = timeout;
  authorize(http, token);
  return http;
}

Result<HeldNode> parse_node(std::string_view body) {
  auto object = object_of(body);
  if (!object) return std::move(object).error();
  return node_of(*object);
}

Result<Page> parse_page(std::string_view body) {
  auto object = object_of(body);
  if (!object) return std::move(object).error();
  const auto items = object->find("items");
  if (items == object->end() || !items->is_array()) return malformed("a list of nodes has no items");
  Page page;
  for (const auto& item : *items) {
    auto node = node_of(item);
    if (!node) return std::move(node).error();
    page.nodes.push_back(*std::move(node));
  }
  page.next = text_of(*object, "next");
  return page;
}

Result<Response> parse_answer(const Request& request, std::string_view body, WallTime now) {
  Response response;
  const auto target = target_of(request.uri);
  response.uri = request.uri.text;
  response.resource = target.resource;
  response.node = target.uid;
  response.time = now;
  if (body.empty() && is_write(request.method)) return response;
  auto object = object_of(body);
  if (!object) return std::move(object).error();
  response.payload = bytes_of(*object);
  response.content_format = format_of(*object);
  response.code = text_of(*object, "code");
  response.protocol = text_of(*object, "protocol");
  response.gateway = text_of(*object, "gateway");
  response.confirmed = text_of(*object, "confirmed");
  response.state = state_of(text_of(*object, "state"));
  if (const auto time = time_of(*object)) response.time = *time;
  const auto number = [&](const char* name) -> std::optional<double> {
    const auto found = object->find(name);
    return found != object->end() && found->is_number() ? std::optional(found->get<double>()) : std::nullopt;
  };
  if (const auto age = number("age_s"); age && *age >= 0 && *age < 1e10) {
    response.age = Duration(static_cast<Duration::rep>(*age * 1e6));
  } else if (!is_write(request.method) && response.time <= now) {
    response.age = now - response.time;
  }
  if (const auto rtt = number("rtt_ms"); rtt && *rtt >= 0 && *rtt < 1e9) {
    response.rtt = Duration(static_cast<Duration::rep>(*rtt * 1e3));
  }
  if (const auto found = object->find("seq"); found != object->end() && found->is_number_unsigned()) {
    response.sequence = found->get<std::uint64_t>();
  }
  if (const auto found = object->find("time_uncertain"); found != object->end() && found->is_boolean()) {
    response.time_uncertain = found->get<bool>();
  }
  return response;
}

Result<void> check_freshness(const Request& request, const Response& response) {
  if (response.state && *response.state != NodeState::live && !request.stale) {
    return make_error(Errc::unreachable,
                      fmt::format("node {} is {}; --stale gives its last value", response.node,
                                  *response.state == NodeState::out ? "out" : "stale: its gateway is away"));
  }
  if (request.max_age && response.age && *response.age > *request.max_age) {
    return make_error(Errc::timeout, fmt::format("the value of {}/{} is {} old, more than {}", response.node,
                                                 response.resource, format_duration(*response.age),
                                                 format_duration(*request.max_age)));
  }
  return {};
}

Error problem_of(int status, std::string_view body, bool write) {
  auto error = make_error(errc_of_status(status), fmt::format("the broker answered HTTP {}", status), status);
  std::string outcome;
  if (const auto parsed = parse_json(body); parsed && parsed->is_object()) {
    if (const auto code = errc_of_type(text_of(*parsed, "type"))) error.code = *code;
    const auto detail = text_of(*parsed, "detail");
    const auto title = text_of(*parsed, "title");
    if (!detail.empty()) {
      error.message = detail;
    } else if (!title.empty()) {
      error.message = fmt::format("the broker answered HTTP {}: {}", status, title);
    }
    if (const auto native = native_of(text_of(*parsed, "code"))) error.native = native;
    outcome = text_of(*parsed, "outcome");
  }
  // A 4xx of the broker itself never reached the node.
  if (write) {
    error.outcome = outcome.empty() && status >= 400 && status < 500 ? Outcome::not_sent
                                                                     : outcome_of(outcome, error.code);
  }
  return error;
}

Error exchange_error(Error error, bool write) {
  if (write && error.outcome == Outcome::none) {
    error.outcome =
        error.code == Errc::unauthorized || error.code == Errc::usage ? Outcome::not_sent : Outcome::unknown;
  }
  return error;
}

std::optional<WireMessage> parse_wire(std::string_view text) {
  const auto parsed = parse_json(text);
  if (!parsed || !parsed->is_object()) return std::nullopt;
  WireMessage message;
  const auto type = text_of(*parsed, "type");
  message.uid = text_of(*parsed, "uid");
  if (message.uid.empty()) return std::nullopt;
  if (type == "new") message.kind = WireMessage::Kind::joined;
  if (type == "out") message.kind = WireMessage::Kind::out;
  if (type == "reset") message.kind = WireMessage::Kind::reset;
  const auto dst = text_of(*parsed, "dst");
  message.live = dst.empty() || dst == "all";
  if (type != "update") return message;
  message.kind = WireMessage::Kind::update;
  message.resource = text_of(*parsed, "endpoint");
  const auto data = parsed->find("data");
  if (message.resource.empty() || data == parsed->end()) return std::nullopt;
  message.bytes = data->is_string() ? data->get<std::string>()
                                    : data->dump(-1, ' ', false, json::error_handler_t::replace);
  return message;
}

}  // namespace aiot::relay
