#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "core/base/time.h"

namespace aiot {

/// The bounds of contracts section 5; every parser that makes model objects holds them.
inline constexpr std::size_t kMaxUid = 128;
inline constexpr std::size_t kMaxResource = 256;
inline constexpr std::size_t kMaxValue = 64 * 1024;
inline constexpr int kMaxJsonDepth = 32;

/// One value of one resource at one time.
struct Update {
  std::string uid;
  std::string resource;
  std::string bytes;                            ///< the payload, as the node sent it
  std::optional<std::uint16_t> content_format;  ///< CoAP number; none when not declared
  WallTime time{};                              ///< when the first aiot process got it
  std::string stream;                           ///< the gateway's stream id; empty until stamped
  std::uint64_t sequence = 0;                   ///< within (gateway, stream); 0 until stamped
  bool time_uncertain = false;
};

enum class NodeState : std::uint8_t { live, stale, out };
[[nodiscard]] std::string_view to_string(NodeState state);

}  // namespace aiot
