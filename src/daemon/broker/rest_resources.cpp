#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "daemon/broker/node_json.h"
#include "daemon/broker/problem.h"
#include "daemon/broker/rest.h"
#include "daemon/wire/json_reader.h"

namespace aiot::broker {
namespace {

constexpr Duration kMaxTimeout = std::chrono::minutes(5);
/// A key that takes longer to be kept is not acted on: the client has long given up.
constexpr Duration kMaxKeyWait = std::chrono::seconds(5);
constexpr std::size_t kMaxEncoded = kMaxValue / 3 * 4 + 8;

std::optional<Method> method_of(std::string_view name) {
  for (const Method method : {Method::get, Method::put, Method::post, Method::del}) {
    if (to_string(method) == name) return method;
  }
  return name == "HEAD" ? std::optional(Method::get) : std::nullopt;
}

/// A duration of the query, at most kMaxTimeout; `otherwise` when absent.
Result<Duration> parse_wait(const RestCall& call, const std::string& name, Duration otherwise) {
  const std::string_view text = call.parameter(name);
  if (text.empty()) return otherwise;
  auto duration = parse_duration(text);
  if (!duration) return make_error(Errc::usage, fmt::format("{}: {}", name, duration.error().message));
  if (*duration <= Duration::zero()) return make_error(Errc::usage, name + " must be above zero");
  if (*duration > kMaxTimeout) return make_error(Errc::usage, name + " is at most 5m");
  return *duration;
}

/// A call whose node has been asked.
struct Waiting {
  RestServices services;
  RestCall call;
  Method method = Method::get;
  std::string written;
  std::optional<std::uint16_t> format;
  std::string key;  ///< Idempotency-Key; empty for none
  std::string gateway, protocol;

  void finish(ws::HttpResponse response, bool acted) {
    if (!key.empty()) services.idempotency.finish(key, response, acted);
    call.reply(std::move(response));
  }
  void finish(Result<wire::Answer> result) {
    if (services.alive.expired()) return;
    if (!result) return finish(node_problem(result.error()), result.error().outcome != Outcome::not_sent);
    if (method == Method::get) result->confirmed.clear();
    // A write shows what stands there now: what the node says, or what it took.
    const bool says = !result->payload.empty() || method == Method::get;
    const NodeAnswer answered{call.path[0],
                              call.path[1],
                              gateway,
                              protocol,
                              says ? result->payload : written,
                              says || method == Method::put,
                              says ? result->content_format : format,
                              *result};
    finish(json_response(answer_json(answered, call.request.header("host"), services.loop.wall_now())), true);
  }
};

/// Sends the request to the node and answers the call with what comes of it.
void ask_node(const RestServices& services, RestCall call, Method method, BodyValue value, std::string key) {
  const auto timeout = parse_wait(call, "timeout", std::chrono::seconds(10));
  const auto expires = parse_wait(call, "expires", timeout ? *timeout : Duration::zero());
  for (const auto* wait : {&timeout, &expires}) {
    if (*wait) continue;
    const ws::HttpResponse response = problem(400, wait->error());
    if (!key.empty()) services.idempotency.finish(key, response, false);
    return call.reply(response);
  }
  const NodeRequest request{method,   call.path[0], call.path[1], value.bytes, value.content_format,
                            *timeout, *expires};
  const Node* node = services.table.find(request.uid);
  auto waiting = std::make_unique<Waiting>(Waiting{
      services, std::move(call), method, std::move(value.bytes), value.content_format, std::move(key),
      node != nullptr ? node->owner->name : std::string(), node != nullptr ? node->protocol : std::string()});
  services.asks.request(request, [waiting = std::move(waiting)](Result<wire::Answer> result) {
    waiting->finish(std::move(result));
  });
}

bool is_json_body(const ws::HttpRequest& request) {
  const std::string_view type = request.header("content-type");
  return type.empty() || text::lower(text::trim(type.substr(0, type.find(';')))) == "application/json";
}

}  // namespace

Result<BodyValue> parse_body_value(std::string_view body, bool required) {
  BodyValue out;
  if (text::trim(body).empty() && !required) return out;
  wire::JsonReader reader(body);
  std::string encoding;
  std::string format;
  bool has_value = false;
  std::string_view name;
  reader.enter_object();
  while (reader.next_member(name)) {
    if (name == "value") {
      has_value = true;
      switch (reader.peek()) {
        case wire::JsonReader::Kind::string: reader.read_string(out.bytes, kMaxEncoded); break;
        case wire::JsonReader::Kind::null:
          out.bytes.clear();
          reader.skip();
          break;
        default: {
          std::string_view raw;
          if (reader.read_raw(raw)) out.bytes = raw;
        }
      }
    } else if (name == "encoding") {
      reader.read_string(encoding, 16);
    } else if (name == "format") {
      std::string_view raw;
      if (reader.peek() == wire::JsonReader::Kind::string) {
        reader.read_string(format, 64);
      } else if (reader.read_raw(raw)) {
        format = raw;
      }
    } else {
      reader.skip();
    }
  }
  if (!reader.finish()) {
    return make_error(Errc::usage,
                      fmt::format("the body is not a JSON object with a value: {}", reader.error().message));
  }
  if (!has_value && required) return make_error(Errc::usage, "the body has no \"value\"");
  if (!encoding.empty()) {
    auto bytes = encoding == "base64" ? text::decode_base64(out.bytes) : std::nullopt;
    if (!bytes) return make_error(Errc::usage, "\"encoding\" can only be base64, and the value must be that");
    out.bytes = std::move(*bytes);
  }
  if (out.bytes.size() > kMaxValue) return make_error(Errc::usage, "the value is longer than 64 KB");
  if (!format.empty()) {
    const auto number = parse_content_format(format);
    if (!number) return make_error(Errc::usage, "\"format\": " + number.error().message);
    out.content_format = *number;
  }
  return out;
}

void read_resource(const RestServices& services, RestCall call) {
  const Node* node = services.table.find(call.path[0]);
  if (node == nullptr || node->hidden) {
    return call.reply(problem(404, Errc::rejected, fmt::format("no node is named {}", call.path[0])));
  }
  const std::string_view live = call.parameter("live");
  if (live == "true" || live == "1") return ask_node(services, std::move(call), Method::get, {}, {});
  if (!live.empty() && live != "false" && live != "0") {
    return call.reply(problem(400, Errc::usage, "live is true or false"));
  }
  const Resource* resource = node->find(call.path[1]);
  if (resource == nullptr) {
    return call.reply(
        problem(404, Errc::rejected, fmt::format("node {} has no resource {}", call.path[0], call.path[1])));
  }
  call.reply(
      json_response(value_json(*node, *resource, call.request.header("host"), services.loop.wall_now())));
}

void write_resource(const RestServices& services, RestCall call) {
  const auto method = method_of(call.request.method);
  if (!method) return call.reply(problem(405, Errc::usage, "this method cannot write"));
  if (!is_json_body(call.request)) {
    return call.reply(problem(415, Errc::usage, "the body must be application/json"));
  }
  const std::string_view coding = call.request.header("content-encoding");
  if (!coding.empty() && text::lower(coding) != "identity") {
    return call.reply(problem(415, Errc::usage, "the body must not be compressed"));
  }
  auto value =
      *method == Method::del ? BodyValue{} : parse_body_value(call.request.body, *method == Method::put);
  if (!value) return call.reply(problem(400, value.error()));
  std::string key(call.request.header("idempotency-key"));
  const auto& headers = call.request.headers;
  const bool has_key = std::any_of(headers.begin(), headers.end(),
                                   [](const auto& field) { return field.first == "idempotency-key"; });
  if (has_key && (key.empty() || key.size() > Idempotency::kMaxKey)) {
    return call.reply(
        problem(400, Errc::usage, fmt::format("an Idempotency-Key has 1 to {} bytes", Idempotency::kMaxKey)));
  }
  if (!key.empty()) {
    const std::string print =
        fmt::format("{}\n{}\n{}", call.request.method, call.request.path, call.request.body);
    switch (services.idempotency.begin(key, print, services.loop.now(), call.responder)) {
      case Idempotency::Verdict::act: break;
      case Idempotency::Verdict::answered: return;
      case Idempotency::Verdict::mismatch:
        return call.reply(problem(422, Errc::usage, "this Idempotency-Key was used for another request"));
    }
  }
  if (key.empty()) return ask_node(services, std::move(call), *method, std::move(*value), {});
  // The key is on disk before anything acts: a broker that is killed and comes back does not act again.
  struct Begun {
    RestServices services;
    RestCall call;
    Method method;
    BodyValue value;
    std::string key;
    bool over = false;
    std::unique_ptr<Timer> patience;

    void give_up() {
      if (std::exchange(over, true) || services.alive.expired()) return;
      const auto response =
          node_problem(Error{Errc::internal, "the broker cannot write to its disk", 0, Outcome::not_sent});
      services.idempotency.finish(key, response, false);
      call.reply(response);
    }
  };
  auto begun = std::make_shared<Begun>(
      Begun{services, std::move(call), *method, std::move(*value), std::move(key), false, nullptr});
  begun->patience = services.loop.make_timer([waiting = std::weak_ptr<Begun>(begun)] {
    if (const auto self = waiting.lock()) self->give_up();
  });
  begun->patience->start(kMaxKeyWait);
  services.store->commit({}, {}, 0, [begun](const Result<void>& result) {
    if (begun->services.alive.expired()) return;
    begun->patience->stop();
    if (!result) return begun->give_up();
    if (std::exchange(begun->over, true)) return;
    ask_node(begun->services, std::move(begun->call), begun->method, std::move(begun->value),
             std::move(begun->key));
  });
}

}  // namespace aiot::broker
