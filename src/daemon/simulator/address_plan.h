#pragma once

#include <cstdint>
#include <string>

#include "core/base/address.h"
#include "core/base/result.h"

namespace aiot::simulator {

/// Which address each node has: counted from a base. In IPv4, x.y.z.0 and x.y.z.255 are skipped, because
/// many programs take them for a network and its broadcast.
class AddressPlan {
 public:
  /// Errc::usage when `base` is not a numeric address, or when `count` addresses from it do not fit into
  /// 127.0.0.0/8 (for a loopback base) or the address space.
  static Result<AddressPlan> make(const std::string& base, std::uint16_t port, std::size_t count);

  [[nodiscard]] SocketAddress node(std::size_t index) const;
  [[nodiscard]] int family() const { return base_.family(); }

 private:
  SocketAddress base_;
  std::uint16_t port_ = 0;
};

}  // namespace aiot::simulator
