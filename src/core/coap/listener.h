#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"

namespace aiot::coap {

/// A listening socket that libcoap made and owns. Its descriptor, which libcoap hides, is what receive
/// buffer, drops and multicast groups need; it is found in /proc/self/fdinfo of the context's epoll
/// descriptor.
class Listener {
 public:
  /// Opens one. Errc::unreachable "address in use" when the very same address is held; errors name the
  /// address.
  static Result<Listener> open(coap_context_t* context, const SocketAddress& address, coap_proto_t protocol);

  [[nodiscard]] const SocketAddress& bound() const { return bound_; }
  /// Asks for a receive buffer of `bytes`, beyond the system's limit where allowed.
  void set_receive_buffer(int bytes) const;
  /// Datagrams the kernel dropped on this socket so far (it counts in 32 bits).
  [[nodiscard]] std::uint32_t kernel_drops() const;
  /// Joins `group` ("224.0.1.187", "ff02::fd%eth0") on the named interface, or on every one that is up.
  /// Errc::usage for what is no group; Errc::unreachable when no interface took it.
  Result<> join(const std::string& group) const;

 private:
  int fd_ = -1;
  SocketAddress bound_;
};

}  // namespace aiot::coap
