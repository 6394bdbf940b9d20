#pragma once

#include <string>
#include <vector>

#include "daemon/gateway/effects.h"

namespace aiot::gateway {

class Policy;

/// Nodes named with --node: standard CoAP servers that know nothing of gateways. They are asked, observed
/// where they can be and read again where not.
class NamedNodes {
 public:
  NamedNodes(Core& core, Policy& policy) : core_(core), policy_(policy) {}

  void add(const std::string& uid, const SocketAddress& address, const Now& now);
  void tick(const Now& now);

 private:
  struct Named {
    std::string uid;
    TimePoint next{};
    Duration wait{};  ///< between attempts to reach one that is out
  };
  void poll(Named& named, Node& node, const Now& now);

  Core& core_;
  Policy& policy_;
  std::vector<Named> named_;
};

}  // namespace aiot::gateway
