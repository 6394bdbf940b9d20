#pragma once

#include <cstddef>
#include <unordered_map>

#include "core/base/address.h"

namespace aiot::ws {

/// Whom a connection counts for: its address without the port, of IPv6 the network of 64 bits, which is what
/// one subscriber gets.
[[nodiscard]] SocketAddress subscriber_of(const SocketAddress& peer);

/// How many connections each subscriber has open. Pure.
class AddressCounts {
 public:
  void add(const SocketAddress& subscriber) { ++counts_[subscriber]; }
  /// Takes back one add(); nothing for an empty address.
  void remove(const SocketAddress& subscriber);
  [[nodiscard]] std::size_t of(const SocketAddress& subscriber) const;
  [[nodiscard]] std::size_t size() const { return counts_.size(); }

 private:
  std::unordered_map<SocketAddress, std::size_t> counts_;
};

}  // namespace aiot::ws
