#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/client.h"
#include "core/relay/target.h"
#include "core/ws/ws_client.h"

/// The broker's REST as a client sees it (docs/openapi.yaml): paths, bodies and errors. Pure.
namespace aiot::relay {

/// Whether the request can be made at all through a broker: Errc::usage with a sentence if not.
[[nodiscard]] Result<void> check_request(const Request& request, bool observing);
/// The HTTP request for a read or a write of one resource.
[[nodiscard]] ws::HttpClientRequest http_of(const Request& request, const std::string& token);
/// GET of one node, or of the page of nodes at `cursor` (empty: the first).
[[nodiscard]] ws::HttpClientRequest node_request(const std::string& uid, const std::string& token,
                                                 Duration timeout);
[[nodiscard]] ws::HttpClientRequest page_request(const std::string& cursor, const std::string& token,
                                                 Duration timeout);

/// A value as the broker holds it.
struct HeldValue {
  std::string bytes;
  std::optional<std::uint16_t> content_format;
  std::optional<WallTime> time;
  bool repeated = false;  ///< its node starts anew: the same value, told once more, is no news
};
struct HeldNode {
  std::string uid, protocol, gateway, address;
  NodeState state = NodeState::live;
  std::map<std::string, HeldValue> resources;
};
struct Page {
  std::vector<HeldNode> nodes;
  std::string next;  ///< empty after the last
};

/// Errc::peer_failed when the body is not what the broker's API promises.
[[nodiscard]] Result<HeldNode> parse_node(std::string_view body);
[[nodiscard]] Result<Page> parse_page(std::string_view body);
/// The answer to http_of(request): a value, or a write's confirmation.
[[nodiscard]] Result<Response> parse_answer(const Request& request, std::string_view body, WallTime now);
/// Checks `response` against the request's --stale and --max-age: Errc::unreachable, Errc::timeout.
[[nodiscard]] Result<void> check_freshness(const Request& request, const Response& response);

/// The failure that an HTTP answer other than 2xx stands for (RFC 9457 where the body is such); `write`
/// decides whether it has an outcome.
[[nodiscard]] Error problem_of(int status, std::string_view body, bool write);
/// A failure of the HTTP exchange itself, with the outcome of a write.
[[nodiscard]] Error exchange_error(Error error, bool write);

/// One message of `/ws` (pyaiot's wire).
struct WireMessage {
  enum class Kind : std::uint8_t { joined, update, out, reset, other };
  Kind kind = Kind::other;
  std::string uid, resource, bytes;
  bool live = false;  ///< sent to all, not a part of our snapshot
};
/// Nothing for text that is not such a message.
[[nodiscard]] std::optional<WireMessage> parse_wire(std::string_view text);

}  // namespace aiot::relay
