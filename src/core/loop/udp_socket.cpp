#include "core/loop/udp_socket.h"

#include <fmt/core.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <deque>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/loop/links.h"

namespace aiot {
namespace {

constexpr unsigned kBatch = 64;               ///< datagrams a system call
constexpr int kRounds = 8;                    ///< batches a turn, so that timers run under load as well
constexpr std::size_t kDatagram = 64 * 1024;  ///< no UDP datagram is larger
constexpr int kReceiveBuffer = 8 * 1024 * 1024;
constexpr std::size_t kMaxQueued = 4'096;
constexpr std::size_t kMaxQueuedBytes = 8UL * 1024 * 1024;

/// What recvmmsg fills. One for all sockets of a thread, since a loop reads one at a time: thousands of
/// simulated nodes have a socket each. Its pages are touched only as far as they are used.
struct Inbox {
  Inbox() : bytes(new char[kBatch * kDatagram]) {
    for (unsigned i = 0; i < kBatch; ++i) {
      parts[i] = {bytes.get() + i * kDatagram, kDatagram};
      headers[i].msg_hdr.msg_name = &names[i];
      headers[i].msg_hdr.msg_iov = &parts[i];
      headers[i].msg_hdr.msg_iovlen = 1;
    }
  }
  std::unique_ptr<char[]> bytes;
  std::array<iovec, kBatch> parts{};
  std::array<sockaddr_storage, kBatch> names{};
  std::array<mmsghdr, kBatch> headers{};
};

class Socket final : public UdpSocket {
 public:
  Socket(EventLoop& loop, int fd, const SocketAddress& bound, Received received)
      : fd_(fd), bound_(bound), received_(std::move(received)) {
    flush_ = loop.make_timer([this] { flush(); });
    watch_ = loop.watch(fd_, FdWatch::kReadable, [this](unsigned events) { ready(events); });
  }
  ~Socket() override {
    if (gone_ != nullptr) *gone_ = true;
    flush();  // a last word, as a DISCONNECT is, leaves still
    watch_.reset();
    ::close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  void send(const SocketAddress& to, std::string datagram) override {
    if (to.empty() || (bound_.family() == AF_INET && to.family() == AF_INET6) ||
        queue_.size() >= kMaxQueued || queued_bytes_ + datagram.size() > kMaxQueuedBytes) {
      ++counters_.send_failures;
      return;
    }
    queued_bytes_ += datagram.size();
    queue_.push_back({to, std::move(datagram)});
    if (blocked_) return;
    if (queue_.size() >= kBatch) {
      flush();
    } else if (!flush_->armed()) {
      flush_->start(Duration(0));
    }
  }

  Result<void> join(const SocketAddress& group, const std::string& interface) override;
  [[nodiscard]] SocketAddress bound() const override { return bound_; }
  [[nodiscard]] UdpCounters counters() const override {
    auto out = counters_;
    std::array<std::uint32_t, SK_MEMINFO_VARS> info{};
    socklen_t size = sizeof info;
    if (::getsockopt(fd_, SOL_SOCKET, SO_MEMINFO, info.data(), &size) == 0)
      out.kernel_drops = info[SK_MEMINFO_DROPS];
    return out;
  }

 private:
  struct Outgoing {
    SocketAddress to;
    std::string datagram;
  };

  void ready(unsigned events) {
    if ((events & FdWatch::kWritable) != 0 && blocked_) flush();
    if ((events & FdWatch::kReadable) != 0) receive();
  }

  void receive() {
    thread_local Inbox inbox;
    bool gone = false;
    gone_ = &gone;
    auto received = std::move(received_);  // it outlives a socket that is destroyed in it
    for (int round = 0; round < kRounds; ++round) {
      for (auto& header : inbox.headers) header.msg_hdr.msg_namelen = sizeof(sockaddr_storage);
      const int count = ::recvmmsg(fd_, inbox.headers.data(), kBatch, MSG_DONTWAIT, nullptr);
      if (count < 0) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) break;
        continue;  // what ICMP had to say of an earlier datagram concerns no other
      }
      for (int i = 0; i < count; ++i) {
        const auto& header = inbox.headers[i];
        const auto from = SocketAddress::from(reinterpret_cast<const sockaddr*>(&inbox.names[i]),
                                              header.msg_hdr.msg_namelen);
        ++counters_.received;
        received(from, {static_cast<const char*>(inbox.parts[i].iov_base), header.msg_len});
        if (gone) return;
      }
      if (count < static_cast<int>(kBatch)) break;
    }
    gone_ = nullptr;
    received_ = std::move(received);
  }

  void flush() {
    std::array<mmsghdr, kBatch> headers{};
    std::array<sockaddr_storage, kBatch> names;
    std::array<iovec, kBatch> parts{};
    bool blocked = false;
    while (!queue_.empty() && !blocked) {
      unsigned count = 0;
      for (; count < kBatch && count < queue_.size(); ++count) {
        auto& next = queue_[count];
        auto& header = headers[count].msg_hdr;
        header.msg_namelen = next.to.to(names[count], bound_.family());
        header.msg_name = &names[count];
        parts[count] = {next.datagram.data(), next.datagram.size()};
        header.msg_iov = &parts[count];
        header.msg_iovlen = 1;
      }
      const int sent = ::sendmmsg(fd_, headers.data(), count, MSG_DONTWAIT);
      if (sent > 0) {
        counters_.sent += static_cast<unsigned>(sent);
        pop(static_cast<unsigned>(sent));
      } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
        blocked = true;
      } else if (errno != EINTR) {
        log::debug("a datagram to {} is not sent: {}", queue_.front().to.text(),
                   errno_error("sendmmsg", errno).message);
        ++counters_.send_failures;
        pop(1);
      }
    }
    if (blocked == blocked_) return;
    blocked_ = blocked;
    watch_->set(FdWatch::kReadable | (blocked ? FdWatch::kWritable : 0U));
  }

  void pop(unsigned count) {
    for (; count > 0; --count) {
      queued_bytes_ -= queue_.front().datagram.size();
      queue_.pop_front();
    }
  }

  int fd_;
  SocketAddress bound_;
  Received received_;
  UdpCounters counters_;
  std::deque<Outgoing> queue_;
  std::size_t queued_bytes_ = 0;
  bool blocked_ = false;  ///< the kernel's buffer is full: the queue waits for the descriptor
  bool* gone_ = nullptr;  ///< told when this is destroyed while it receives
  std::unique_ptr<Timer> flush_;
  std::unique_ptr<FdWatch> watch_;
};

Result<void> Socket::join(const SocketAddress& group, const std::string& interface) {
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_BROADCAST, &on, sizeof on);
  if (!group.is_multicast())
    return make_error(Errc::usage, fmt::format("{} is not a multicast group", group.host()));
  if (bound_.family() == AF_INET && group.family() == AF_INET6)
    return make_error(Errc::usage, fmt::format("{} cannot join {}", bound_.text(), group.host()));
  return join_group(fd_, group, interface);
}

}  // namespace

Result<std::unique_ptr<UdpSocket>> UdpSocket::bind(EventLoop& loop, const SocketAddress& local,
                                                   Received received) {
  const auto what = [&] { return fmt::format("cannot open a UDP socket on {}", local.text()); };
  const int fd = ::socket(local.family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return errno_error(what(), errno);
  const int off = 0;
  if (local.family() == AF_INET6) ::setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  // With CAP_NET_ADMIN beyond net.core.rmem_max, else as far as that goes.
  if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &kReceiveBuffer, sizeof kReceiveBuffer) != 0)
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &kReceiveBuffer, sizeof kReceiveBuffer);
  sockaddr_storage storage{};
  const auto size = local.to(storage);
  auto* name = reinterpret_cast<sockaddr*>(&storage);
  socklen_t length = sizeof storage;
  if (::bind(fd, name, size) != 0 || ::getsockname(fd, name, &length) != 0) {
    const int error = errno;
    ::close(fd);
    if (error == EADDRINUSE) return make_error(Errc::unreachable, what() + ": address in use", error);
    return errno_error(what(), error);
  }
  return std::unique_ptr<UdpSocket>(
      std::make_unique<Socket>(loop, fd, SocketAddress::from(name, length), std::move(received)));
}

}  // namespace aiot
