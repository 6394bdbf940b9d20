#include "daemon/gateway/name_resolver.h"

#include <fmt/core.h>

#include "core/base/log.h"

namespace aiot::gateway {

namespace {
constexpr Duration kAgain = std::chrono::seconds(60);
}

NameResolver::NameResolver(EventLoop& loop, Policy& policy)
    : loop_(loop), policy_(policy), again_(loop.make_timer([this] { start(); })) {}

Result<void> NameResolver::add(const std::string& text) {
  auto uri = parse_uri(text);
  if (!uri) return make_error(Errc::usage, fmt::format("--node {}: {}", text, uri.error().message));
  if (uri->scheme != "coap" || !uri->path.empty() || !uri->query.empty())
    return make_error(Errc::usage, fmt::format("--node {}: a node is named as coap://HOST[:PORT]", text));
  auto name = std::make_unique<Name>();
  name->id = fmt::format("{}:{}", uri->zone.empty() ? uri->host : uri->host + "%" + uri->zone, uri->port);
  name->uri = std::move(*uri);
  names_.push_back(std::move(name));
  return {};
}

void NameResolver::start() {
  for (auto& name : names_)
    if (!name->known || !policy_.is_named_live(name->id)) resolve(*name);
  if (!names_.empty()) again_->start(kAgain);
}

void NameResolver::resolve(Name& name) {
  const std::string host = name.uri.zone.empty() ? name.uri.host : name.uri.host + "%" + name.uri.zone;
  name.resolving =
      loop_.resolve(host, name.uri.port, [this, &name](Result<std::vector<SocketAddress>> found) {
        if (!found) {
          if (!std::exchange(name.failed, true))
            log::warn("node {}: {}; looked up again every minute", name.id, found.error().message);
          return;
        }
        name.failed = false;
        name.known = true;
        policy_.name(name.id, found->front(), Now{loop_.now(), loop_.wall_now()});
      });
}

}  // namespace aiot::gateway
