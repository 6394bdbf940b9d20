#pragma once

#include <string>
#include <utility>
#include <vector>

#include "core/base/networks.h"

namespace aiot::gateway {

/// The networks whose nodes may speak to the gateway; an empty list is everyone.
class AllowList {
 public:
  /// From CIDRs and addresses. Errc::usage names the one that is neither.
  static Result<AllowList> parse(const std::vector<std::string>& cidrs) {
    auto networks = Networks::parse(cidrs, "--allow");
    if (!networks) return std::move(networks).error();
    AllowList out;
    out.networks_ = std::move(*networks);
    return out;
  }
  [[nodiscard]] bool admits(const SocketAddress& address) const {
    return networks_.empty() || networks_.contains(address);
  }
  [[nodiscard]] bool empty() const { return networks_.empty(); }

 private:
  Networks networks_;
};

}  // namespace aiot::gateway
