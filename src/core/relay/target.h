#pragma once

#include <string>
#include <string_view>

#include "core/base/uri.h"
#include "core/ws/ws_client.h"

namespace aiot::relay {

/// Where in a broker a URI points: `aiot://HOST[:PORT]/UID/RESOURCE`.
struct Target {
  std::string uid;
  std::string resource;  ///< further path segments, joined with '/'; empty for the node itself

  /// `*` in either stands for (a part of) one segment.
  [[nodiscard]] bool is_pattern() const;
  [[nodiscard]] bool matches(std::string_view node, std::string_view name) const;
  [[nodiscard]] bool matches_node(std::string_view node) const;
};
[[nodiscard]] Target target_of(const Uri& uri);
/// The broker's endpoint that an aiot or aiots URI names; its own path before /api and /ws is `prefix`, which
/// such a URI has no place for.
[[nodiscard]] ws::Endpoint endpoint_of(const Uri& uri, const std::string& prefix = {});
/// `aiot://HOST:PORT/UID/RESOURCE` at the broker of `uri`.
[[nodiscard]] std::string uri_of(const Uri& uri, std::string_view node, std::string_view resource);

}  // namespace aiot::relay
