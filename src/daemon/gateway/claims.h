#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/log.h"
#include "core/coap/coap_server.h"
#include "daemon/gateway/effects.h"

namespace aiot::gateway {

class Policy;

inline constexpr Duration kProbeTime = std::chrono::seconds(2);
inline constexpr Duration kRefusalTime = std::chrono::seconds(10);  ///< no new probe for the same claimant
inline constexpr std::size_t kMaxClaims = 1024;

/// A known uid that speaks from a new address: the old address is asked; an answer, or anything
/// else that the node says from there, refuses the newcomer; silence moves the node.
class Claims {
 public:
  Claims(Core& core, Policy& policy) : core_(core), policy_(policy) {}

  enum class Verdict { probing, refused };
  Verdict claim(Node& node, const coap::Peer& peer, const Now& now);
  /// The node speaks with a credential that `peer` has not proved: counted, and told as a conflict.
  bool is_foreign(const Node& node, const coap::Peer& peer, const Now& now);
  /// Somebody at that address waits for the outcome of a claim.
  [[nodiscard]] bool waiting_at(const SocketAddress& address) const;
  /// True when the ticket was a probe's.
  bool responded(Ticket ticket, const Result<Response>& result, const Now& now);
  /// The node has spoken from where it is: a claim to its uid is refused.
  void contradicted(const Node& node, const Now& now);
  /// By trust on first use the uid is another's: told, though not with every message.
  void refuse_stranger(const Node& node, const SocketAddress& claimant, const Now& now);
  /// The uid's node has gone or moved otherwise: its claim is void.
  void drop(const std::string& uid);
  void tick(const Now& now);

 private:
  struct Claim {
    coap::Peer claimant;
    Ticket probes[2] = {0, 0};
  };
  struct Refusal {
    SocketAddress claimant;
    TimePoint until{};
  };
  void cancel(Claim& claim);
  void tell(const Node& node, const SocketAddress& claimant, std::string_view why, const Now& now);

  Core& core_;
  Policy& policy_;
  std::unordered_map<std::string, Claim> claims_;
  std::unordered_map<Ticket, std::string> probes_;
  std::unordered_map<std::string, Refusal> refusals_;
  log::Limiter foreigners_{5}, conflicts_{5};
};

}  // namespace aiot::gateway
