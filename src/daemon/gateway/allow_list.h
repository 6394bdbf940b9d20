#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/base/address.h"

namespace aiot::gateway {

/// The networks whose nodes may speak to the gateway; an empty list is everyone.
class AllowList {
 public:
  /// From CIDRs ("192.0.2.0/24", "fd00::/8") and addresses. Errc::usage names the one that is neither.
  static Result<AllowList> parse(const std::vector<std::string>& cidrs);
  [[nodiscard]] bool admits(const SocketAddress& address) const;
  [[nodiscard]] bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    int family = 0;
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 0;
  };
  std::vector<Network> networks_;
};

}  // namespace aiot::gateway
