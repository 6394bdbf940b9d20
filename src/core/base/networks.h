#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"

namespace aiot {

/// A set of IP networks.
class Networks {
 public:
  /// From CIDRs ("192.0.2.0/24", "fd00::/8") and addresses. Errc::usage names `option`, unless it is empty,
  /// and the one that is neither.
  static Result<Networks> parse(const std::vector<std::string>& cidrs, std::string_view option);
  [[nodiscard]] bool contains(const SocketAddress& address) const;
  [[nodiscard]] bool empty() const { return networks_.empty(); }

 private:
  struct Network {
    int family = 0;
    std::array<std::uint8_t, 16> bytes{};
    unsigned bits = 0;
  };
  std::vector<Network> networks_;
};

}  // namespace aiot
