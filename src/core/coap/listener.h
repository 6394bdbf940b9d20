#pragma once

#include <coap3/coap.h>

#include <sys/socket.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
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
  /// A datagram that waits on the socket.
  struct Waiting {
    std::string_view bytes;
    sockaddr_storage from{};
    socklen_t from_size = 0;
    std::array<char, 128> control{};  ///< the address of ours that it went to
    std::size_t control_size = 0;
  };
  /// Looks at the next datagrams that wait, one after the other, and leaves them there; from the first again
  /// after look_again(). None when there is no other.
  std::optional<Waiting> look(std::string& buffer) const;
  void look_again() const;
  /// Takes the first datagram off the socket.
  void discard() const;
  /// Answers a datagram, from where it went to.
  void answer(const Waiting& to, std::string_view datagram) const;
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
