#include "cli/targets.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/files.h"
#include "core/base/text.h"
#include "core/client.h"
#include "core/schemes.h"
#include "core/ws/ws_client.h"

namespace aiot::cli {

namespace {

/// UID/RESOURCE at the broker of --broker.
Result<Target> at_broker(Context& context, const std::string& text) {
  const std::string shown = text::escape_controls(text);
  if (text.empty()) return make_error(Errc::usage, "an empty URI");
  auto broker = context.broker_url();
  if (!broker) return broker.error();
  if (broker->empty()) {
    return make_error(
        Errc::usage,
        fmt::format("'{}' is not a URI: it has no scheme; coap://{} asks a device, and UID/RESOURCE "
                    "needs --broker or AIOT_BROKER",
                    shown, shown));
  }
  const std::size_t slash = text.find('/');
  if (slash == 0 || slash == std::string::npos || slash + 1 == text.size()) {
    return make_error(Errc::usage, fmt::format("'{}' is neither a URI nor UID/RESOURCE", shown));
  }
  auto endpoint = ws::parse_endpoint(*broker);
  if (!endpoint) return endpoint.error();
  auto uri = parse_uri(broker_base(*endpoint) + "/" + text);
  if (!uri) return uri.error();
  return Target{std::move(*uri), endpoint->path, nullptr, std::nullopt};
}

bool is_broker(const Uri& uri) { return uri.scheme == "aiot" || uri.scheme == "aiots"; }

/// Options that some schemes alone can carry out.
struct Bound {
  const char* flag;
  std::string_view schemes;  ///< between spaces
  std::string_view name;
};
constexpr std::string_view kCoap = " coap coaps coap+tcp coaps+tcp ", kBrokers = " aiot aiots ",
                           kMqtt = " mqtt mqtts ", kTopics = " mqtt mqtts mqttsn ",
                           kTls = " mqtts coaps coaps+tcp aiots ";
constexpr Bound kBound[] = {
    {"--if-match", kCoap, "CoAP"},
    {"--accept", kCoap, "CoAP"},
    {"--non", kCoap, "CoAP"},
    {"--interface", " coap coaps coap+tcp coaps+tcp mqttsn ", "CoAP and MQTT-SN"},
    {"--rd", kCoap, "CoAP"},
    {"--id", kBrokers, "brokers"},
    {"--expires", kBrokers, "brokers"},
    {"--max-age", kBrokers, "brokers"},
    {"--stale", kBrokers, "brokers"},
    {"--live", kBrokers, "brokers"},
    {"--qos", kTopics, "MQTT"},
    {"--retain", kTopics, "MQTT"},
    {"--retained", kTopics, "MQTT"},
    {"--user", kMqtt, "MQTT"},
    {"--password-file", kMqtt, "MQTT"},
    {"--client-id", kMqtt, "MQTT"},
    {"--mqtt-version", kMqtt, "MQTT"},
    {"--user-property", kMqtt, "MQTT"},
    {"--content-type", kMqtt, "MQTT"},
    {"--message-expiry", kMqtt, "MQTT"},
    {"--response-topic", kMqtt, "MQTT"},
    {"--content-format", " coap coaps coap+tcp coaps+tcp aiot aiots ", "CoAP and brokers"},
    {"--psk-file", " coaps coaps+tcp ", "coaps"},
    {"--psk-identity", " coaps coaps+tcp ", "coaps"},
    {"--ca", kTls, "TLS"},
    {"--cert", kTls, "TLS"},
    {"--key", kTls, "TLS"},
};

/// What is asked for and cannot be carried to the target is refused, not left out: a write without its
/// --if-match is another write.
Result<void> check_flags(const Settings& settings, const std::string& scheme) {
  for (const Bound& bound : kBound) {
    if (!settings.has_flag(bound.flag) ||
        bound.schemes.find(fmt::format(" {} ", scheme)) != std::string_view::npos)
      continue;
    return make_error(Errc::usage,
                      fmt::format("{} is for {}, not for {}://", bound.flag, bound.name, scheme));
  }
  return {};
}

Result<void> prepare(Context& context, std::string_view verb, Target& target) {
  const std::string& scheme = target.uri.scheme;
  if (auto fits = check_verb(verb, scheme); !fits) return fits;
  if (auto fits = check_flags(context.settings(), scheme); !fits) return fits;
  auto client = context.client(scheme, target.prefix);
  if (!client) return client.error();
  target.client = *client;
  return {};
}

bool is_write(std::string_view verb) {
  return verb != "get" && verb != "observe" && verb != "discover" && verb != to_string(Method::fetch);
}

}  // namespace

bool Target::is_pattern() const {
  const auto has_asterisk = [](const std::string& segment) { return segment.find('*') != std::string::npos; };
  return is_broker(uri) && std::any_of(uri.path.begin(), uri.path.end(), has_asterisk);
}

std::string broker_base(const ws::Endpoint& endpoint) {
  const bool numeric6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", endpoint.tls ? "aiots" : "aiot", numeric6 ? "[" : "", endpoint.host,
                     numeric6 ? "]" : "", endpoint.port);
}

Result<Target> resolve_target(Context& context, const std::string& text) {
  if (text.find("://") == std::string::npos) return at_broker(context, text);
  auto uri = parse_uri(text);
  if (!uri) return uri.error();
  return Target{std::move(*uri), {}, nullptr, std::nullopt};
}

Result<std::vector<Target>> resolve_targets(Context& context, const std::vector<std::string>& given,
                                            const std::string& from) {
  std::vector<Target> out;
  for (const std::string& text : given) {
    auto target = resolve_target(context, text);
    if (!target) return target.error();
    out.push_back(std::move(*target));
  }
  if (from.empty()) return out;
  auto list = from == "-" ? read_stdin() : read_file(from);
  if (!list) return list.error();
  std::size_t number = 0;
  for (const std::string_view raw : text::split(*list, '\n')) {
    ++number;
    const std::string line(text::trim(raw));
    if (line.empty() || line.front() == '#') continue;
    auto target = resolve_target(context, line);
    if (!target) {
      Error error = std::move(target).error();
      error.message = fmt::format("{}:{}: {}", from == "-" ? "standard input" : from, number, error.message);
      return error;
    }
    out.push_back(std::move(*target));
  }
  if (out.empty()) {
    return make_error(Errc::usage, fmt::format("{} names no URI",
                                               from == "-" ? "standard input" : text::escape_controls(from)));
  }
  return out;
}

int prepare_targets(Context& context, std::string_view verb, std::vector<Target>& targets) {
  for (Target& target : targets) {
    auto prepared = prepare(context, verb, target);
    if (prepared) continue;
    if (is_write(verb)) prepared.error().outcome = Outcome::not_sent;
    return context.fail(prepared.error(), target.uri.text);
  }
  return kDone;
}

int fail_unsent(Context& context, Error error, const std::vector<Target>& targets) {
  error.outcome = Outcome::not_sent;
  return context.fail(error, targets.size() == 1 ? targets.front().uri.text : std::string());
}

std::string host_key(const Uri& uri) {
  std::string out = uri.authority();
  if (is_broker(uri)) out += "/" + (uri.path.empty() ? std::string() : uri.path[0]);
  return out;
}

}  // namespace aiot::cli
