#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/codec/link_format.h"

/// What nodes send, taken apart. Pure; views point into the input.
namespace aiot::gateway {

/// `POST /alive`, payload `WORD:UID`.
struct AlivePayload {
  bool reset = false;    ///< the payload starts with "reset": the node restarted
  std::string_view uid;  ///< after the last colon; empty when it is not a uid
};
[[nodiscard]] AlivePayload parse_alive(std::string_view payload);

/// `POST /server`, payload `RESOURCE:VALUE`, split at the first colon.
struct PostPayload {
  std::string_view resource;
  std::string_view value;
};
[[nodiscard]] std::optional<PostPayload> parse_post(std::string_view payload);

/// The query of a resource directory request (RFC 9176 section 5).
struct RegistrationQuery {
  std::string endpoint;              ///< ep
  std::string sector;                ///< d
  std::string type;                  ///< et
  std::optional<Duration> lifetime;  ///< lt
  std::optional<SocketAddress> base;
};
/// Errc::usage says which parameter is wrong: ep or d not printable, lt not 1 to 4294967295, base not a
/// coap URI with a numeric host.
[[nodiscard]] Result<RegistrationQuery> parse_registration(const std::vector<std::string_view>& query);

/// One resource a node says it has.
struct Found {
  std::string name;  ///< path without its leading slash, with its query
  bool observable = false;
};
inline constexpr std::size_t kMaxNodeResources = 256;
/// The node's own resources among `links`: paths, each once, without /.well-known/core and links to other
/// hosts; at most kMaxNodeResources. `skipped` counts those that could not be kept.
[[nodiscard]] std::vector<Found> own_resources(const std::vector<Link>& links, std::size_t& skipped);

}  // namespace aiot::gateway
