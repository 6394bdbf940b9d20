#include "cli/targets.h"

#include <fmt/format.h>

#include "cli/context.h"
#include "cli/files.h"
#include "core/base/text.h"
#include "core/client.h"
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
  auto client = context.client(uri->scheme, endpoint->path);
  if (!client) return client.error();
  return Target{std::move(*uri), *client};
}

}  // namespace

std::string broker_base(const ws::Endpoint& endpoint) {
  const bool numeric6 = endpoint.host.find(':') != std::string::npos;
  return fmt::format("{}://{}{}{}:{}", endpoint.tls ? "aiots" : "aiot", numeric6 ? "[" : "", endpoint.host,
                     numeric6 ? "]" : "", endpoint.port);
}

Result<Target> resolve_target(Context& context, const std::string& text) {
  if (text.find("://") == std::string::npos) return at_broker(context, text);
  auto uri = parse_uri(text);
  if (!uri) return uri.error();
  auto client = context.client(uri->scheme);
  if (!client) return client.error();
  return Target{std::move(*uri), *client};
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
  return out;
}

std::string host_key(const Uri& uri) {
  std::string out = uri.authority();
  if (uri.scheme == "aiot" || uri.scheme == "aiots")
    out += "/" + (uri.path.empty() ? std::string() : uri.path[0]);
  return out;
}

}  // namespace aiot::cli
