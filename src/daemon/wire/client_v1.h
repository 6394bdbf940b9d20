#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/client.h"
#include "core/model/update.h"

/// What clients send on aiot.client.v1, JSON in WebSocket text frames; docs/protocol.md specifies it.
namespace aiot::wire::client_v1 {

inline constexpr std::string_view kName = "aiot.client.v1";
inline constexpr std::size_t kMaxPatterns = 1024;  ///< of a subscription, nodes and resources together
inline constexpr std::uint64_t kMaxId = (1ULL << 53) - 1;  ///< what JavaScript can hold
inline constexpr std::uint64_t kMaxWindow = 1'000'000;
inline constexpr Duration kMaxDeadline = std::chrono::minutes(5);

/// First of all.
struct Hello {
  int version = 1;
  std::string software;
};

/// What is to be told under `id`.
struct Subscribe {
  std::uint64_t id = 0;
  std::vector<std::string> nodes;      ///< patterns; empty for all
  std::vector<std::string> resources;  ///< patterns; empty for all
  bool conflate = false;               ///< only the newest value of a resource that is not sent yet
  bool snapshot = true;                ///< begin with what is known
  bool events = true;                  ///< tell what happens to nodes and gateways
  std::uint64_t window = 0;            ///< at most so many batches not acknowledged; 0 for no such bound
};

struct Unsubscribe {
  std::uint64_t id = 0;
};

/// So many more batches of a subscription with a window are dealt with.
struct Ack {
  std::uint64_t id = 0;
  std::uint64_t batches = 1;
};

/// The last value of a resource, or with `live` what the node says now.
struct Read {
  std::uint64_t id = 0;
  std::string node, resource;
  bool live = false;
  std::optional<Duration> deadline;
};

/// A write; `value`, `encoding` and `format` are JSON as it came, of any type, empty where absent.
struct Write {
  std::uint64_t id = 0;
  Method method = Method::put;
  std::string node, resource;
  std::string value, encoding, format;
  std::optional<Duration> deadline, expires;
  std::optional<std::string> key;
};

using Message = std::variant<Hello, Subscribe, Unsubscribe, Ack, Read, Write>;

/// Errc::rejected with what was wrong and where; Errc::usage for a type that this version does not know,
/// which the caller ignores. Unknown members are ignored.
[[nodiscard]] Result<Message> parse(std::string_view text);

}  // namespace aiot::wire::client_v1
