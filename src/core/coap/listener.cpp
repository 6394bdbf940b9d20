#include "core/coap/listener.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <fstream>
#include <set>

#include "core/coap/context.h"
#include "core/coap/udp_holders.h"
#include "core/loop/links.h"

namespace aiot::coap {
namespace {

/// The descriptors an epoll descriptor watches.
std::set<int> watched_by(int epoll) {
  std::set<int> watched;
  std::ifstream info(fmt::format("/proc/self/fdinfo/{}", epoll));
  std::string line;
  while (std::getline(info, line))
    if (line.compare(0, 4, "tfd:") == 0) watched.insert(std::atoi(line.c_str() + 4));
  return watched;
}

/// libcoap tells no reason when it cannot listen; a socket of our own, bound the same way, does.
int bind_error(const SocketAddress& address, bool tcp) {
  sockaddr_storage storage{};
  const auto size = address.to(storage);
  const int fd = ::socket(address.family(), (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  if (fd < 0) return errno;
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  int error = ::bind(fd, reinterpret_cast<const sockaddr*>(&storage), size) == 0 ? 0 : errno;
  if (error == 0 && tcp && ::listen(fd, 1) != 0) error = errno;
  ::close(fd);
  return error;
}

Error cannot_listen(const SocketAddress& address, coap_proto_t protocol, int error) {
  const auto* const scheme = protocol == COAP_PROTO_TLS    ? "coaps+tcp"
                             : protocol == COAP_PROTO_DTLS ? "coaps"
                             : protocol == COAP_PROTO_TCP  ? "coap+tcp"
                                                           : "coap";
  const auto what = fmt::format("cannot listen on {}://{}", scheme, address.text());
  if (error == EADDRINUSE) return make_error(Errc::unreachable, what + ": address in use", error);
  if (error != 0) return errno_error(what, error);
  return make_error(Errc::internal, what);
}

}  // namespace

Result<Listener> Listener::open(coap_context_t* context, const SocketAddress& address,
                                coap_proto_t protocol) {
  const bool tcp = protocol == COAP_PROTO_TCP || protocol == COAP_PROTO_TLS;
  if (!tcp && udp_address_in_use(address)) return cannot_listen(address, protocol, EADDRINUSE);
  if (const int error = bind_error(address, tcp); error != 0) return cannot_listen(address, protocol, error);

  const int epoll = coap_context_get_coap_fd(context);
  const auto before = watched_by(epoll);
  const auto listen_address = to_coap(address);
  if (coap_new_endpoint(context, &listen_address, protocol) == nullptr)
    return cannot_listen(address, protocol, 0);

  Listener listener;
  listener.bound_ = address;
  for (const int fd : watched_by(epoll)) {
    if (before.count(fd) > 0) continue;
    listener.fd_ = fd;
    ::fcntl(fd, F_SETFD, FD_CLOEXEC);
    if (tcp) ::listen(fd, SOMAXCONN);  // again: libcoap lets no more than five wait
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    if (::getsockname(fd, reinterpret_cast<sockaddr*>(&storage), &size) == 0)
      listener.bound_ = SocketAddress::from(reinterpret_cast<const sockaddr*>(&storage), size);
  }
  if (listener.fd_ < 0)
    return make_error(Errc::internal, "cannot find the socket libcoap listens on: /proc is not mounted");
  return listener;
}

void Listener::set_receive_buffer(int bytes) const {
  // With CAP_NET_ADMIN beyond net.core.rmem_max, else as far as that goes.
  if (::setsockopt(fd_, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0)
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

void Listener::look_again() const {
  const int from_start = 0;
  ::setsockopt(fd_, SOL_SOCKET, SO_PEEK_OFF, &from_start, sizeof from_start);
}

std::optional<Listener::Waiting> Listener::look(std::string& buffer) const {
  constexpr std::size_t kLargest = 65536;  // a part of one would be looked at as one more
  buffer.resize(kLargest);
  Waiting out;
  iovec bytes{buffer.data(), buffer.size()};
  msghdr message{};
  message.msg_name = &out.from;
  message.msg_namelen = sizeof out.from;
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = out.control.data();
  message.msg_controllen = out.control.size();
  const auto size = ::recvmsg(fd_, &message, MSG_PEEK | MSG_DONTWAIT);
  if (size < 0) return std::nullopt;
  out.bytes = {buffer.data(), static_cast<std::size_t>(size)};
  out.from_size = message.msg_namelen;
  out.control_size = message.msg_controllen;
  return out;
}

void Listener::discard() const {
  // The kernel moves the place that look() has come to by what is read alone, not by the datagram.
  char byte = 0;
  (void)::recv(fd_, &byte, 1, MSG_DONTWAIT);
}

void Listener::answer(const Waiting& to, std::string_view datagram) const {
  iovec bytes{const_cast<char*>(datagram.data()), datagram.size()};
  msghdr message{};
  message.msg_name = const_cast<sockaddr_storage*>(&to.from);
  message.msg_namelen = to.from_size;
  message.msg_iov = &bytes;
  message.msg_iovlen = 1;
  message.msg_control = const_cast<char*>(to.control.data());
  message.msg_controllen = to.control_size;
  (void)::sendmsg(fd_, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
}

std::uint32_t Listener::kernel_drops() const {
  std::uint32_t info[SK_MEMINFO_VARS] = {};
  socklen_t size = sizeof info;
  if (::getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, info, &size) != 0) return 0;
  return info[SK_MEMINFO_DROPS];
}

Result<> Listener::join(const std::string& group) const {
  const auto percent = group.find('%');
  const auto address = SocketAddress::parse(group.substr(0, percent), 5683);
  if (!address || !address->is_multicast())
    return make_error(Errc::usage, fmt::format("'{}' is not a multicast group", group));
  const auto name = percent == std::string::npos ? std::string() : group.substr(percent + 1);
  if (address->family() == AF_INET6 && bound_.family() == AF_INET)
    return make_error(Errc::usage, fmt::format("{} cannot join '{}'", bound_.text(), group));

  return join_group(fd_, *address, name);
}

}  // namespace aiot::coap
