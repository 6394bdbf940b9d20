#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/coap/coap_server.h"
#include "daemon/gateway/effects.h"
#include "daemon/gateway/payload.h"

namespace aiot::gateway {

class Policy;

inline constexpr Duration kDefaultRegistration = std::chrono::seconds(90'000);  ///< RFC 9176 section 5.3
inline constexpr Duration kMaxRegistration = std::chrono::hours(24 * 400);

/// A resource directory (RFC 9176) whose endpoints are nodes: uid is `ep`, or `ep@d` with a sector.
class Directory {
 public:
  Directory(Core& core, Policy& policy) : core_(core), policy_(policy) {}

  coap::ServerReply enroll(const std::vector<std::string_view>& query, std::string_view links,
                           const coap::Peer& peer, const Now& now, bool simple = false);
  coap::ServerReply enroll_simple(const std::vector<std::string_view>& query, const coap::Peer& peer,
                                  const Now& now);
  coap::ServerReply renew(std::string_view id, const std::vector<std::string_view>& query,
                          const coap::Peer& peer, const Now& now);
  coap::ServerReply withdraw(std::string_view id, const Now& now);
  [[nodiscard]] coap::ServerReply look_up(const std::vector<std::string_view>& query, bool endpoints) const;
  /// The node's own /.well-known/core was read: what a simple registration registers.
  void listed(Node& node, std::string_view links);
  /// The node went out: its registration is over.
  void ended(Node& node);
  void restore(Node& node, Registration registration);

 private:
  Node* admit(const RegistrationQuery& query, const coap::Peer& peer, const Now& now,
              coap::ServerReply& refusal);
  void set_lifetime(Node& node, Duration lifetime);
  [[nodiscard]] Node* registered(std::string_view id) const;

  Core& core_;
  Policy& policy_;
  std::unordered_map<std::string, std::string> uids_;  ///< registration id to uid
};

}  // namespace aiot::gateway
