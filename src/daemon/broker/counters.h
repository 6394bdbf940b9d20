#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace aiot::broker {

/// Protocols as metrics tell them apart; everything else is "other".
inline constexpr std::array<std::string_view, 5> kProtocolLabels = {"CoAP", "MQTT", "MQTT-SN", "WebSocket",
                                                                    "other"};
[[nodiscard]] constexpr std::size_t protocol_index(std::string_view protocol) {
  for (std::size_t i = 0; i + 1 < kProtocolLabels.size(); ++i) {
    if (kProtocolLabels[i] == protocol) return i;
  }
  return kProtocolLabels.size() - 1;
}

/// Why an update went no further.
enum class Drop : std::uint8_t {
  not_owner,     ///< another gateway has the node
  table_full,    ///< a bound of the node table
  duplicate,     ///< a batch that was stored before came again
  invalid,       ///< a message that is not understood
  slow_client,   ///< a client that is slower than the updates did not get it
  conflated,     ///< a newer value took its place before a client that asked for that had it
  unknown_node,  ///< a client's write to a node nobody knows
  gateway_away,  ///< a client's write to a node that cannot be reached
  queue_full,    ///< a write beyond what a gateway's queue or the broker holds
  too_large,     ///< a client's message with a name or value beyond its bound
  not_allowed,   ///< a write of a client without the role for it
  kCount
};
inline constexpr std::array<std::string_view, static_cast<std::size_t>(Drop::kCount)> kDropLabels = {
    "not_owner",    "table_full",   "duplicate",  "invalid",   "slow_client", "conflated",
    "unknown_node", "gateway_away", "queue_full", "too_large", "not_allowed"};

/// What /metrics shows of the updates that passed.
struct Counters {
  std::array<std::uint64_t, kProtocolLabels.size()> received{};
  std::array<std::uint64_t, kProtocolLabels.size()> stored{};
  std::array<std::uint64_t, static_cast<std::size_t>(Drop::kCount)> dropped{};
  std::uint64_t delivered = 0;  ///< handed to clients' sockets
  std::uint64_t slow_clients = 0;
  std::uint64_t paced_clients = 0;   ///< times that reading stopped because of --client-rate
  std::uint64_t paced_gateways = 0;  ///< the same of --gateway-rate
  std::uint64_t refused_access = 0;  ///< connections and requests for want of a token, login or role

  void drop(Drop why, std::uint64_t count = 1) { dropped[static_cast<std::size_t>(why)] += count; }
};

}  // namespace aiot::broker
