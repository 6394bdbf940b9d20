#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/function.h"
#include "core/base/result.h"

namespace aiot {

class EventLoop;

struct UdpCounters {
  std::uint64_t received = 0, sent = 0;
  std::uint64_t send_failures = 0;  ///< the kernel refused a datagram, or the outgoing queue was full
  std::uint64_t kernel_drops = 0;   ///< arrived while the receive buffer was full (SO_MEMINFO)
};

/// One UDP socket on the loop. Receives in batches (recvmmsg), sends in batches at the end of the turn
/// (sendmmsg); what the kernel cannot take now waits in a bounded queue.
class UdpSocket {
 public:
  /// A datagram from `from`, on a turn of the loop; the view ends with the call. Destroying the socket in it
  /// is allowed.
  using Received = UniqueFunction<void(const SocketAddress& from, std::string_view datagram)>;
  /// Binds `local` (port 0 picks one), without SO_REUSEADDR, so that an address in use is said:
  /// Errc::unreachable.
  /// `[::]` takes IPv4 too; peers then appear as plain IPv4 addresses. SO_RCVBUF is raised as far as the
  /// system grants.
  static Result<std::unique_ptr<UdpSocket>> bind(EventLoop& loop, const SocketAddress& local,
                                                 Received received);
  virtual ~UdpSocket() = default;
  virtual void send(const SocketAddress& to, std::string datagram) = 0;
  /// Allows sending to broadcast addresses and joins the multicast group on every link (or `interface`).
  virtual Result<void> join(const SocketAddress& group, const std::string& interface) = 0;
  [[nodiscard]] virtual SocketAddress bound() const = 0;
  [[nodiscard]] virtual UdpCounters counters() const = 0;
};

}  // namespace aiot
