#pragma once

#include <arpa/inet.h>
#include <poll.h>

#include "outgoing.h"

namespace bench {

/// Many nodes, each at a loopback address of its own, on one socket (IP_PKTINFO chooses the source of each
/// datagram), 64 datagrams to a system call, so that the generator is not the bottleneck.
class UdpNodes {
 public:
  /// Node 0 is at `base`; all send from `source_port` to `port` of 127.0.0.1.
  UdpNodes(const std::string& base, std::uint16_t source_port, std::uint16_t port)
      : fd_(open_socket(source_port)), out_(fd_) {
    target_.sin_family = AF_INET;
    target_.sin_port = htons(port);
    target_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    in_addr address{};
    if (::inet_pton(AF_INET, base.c_str(), &address) != 1) die("bad --base");
    base_ = ntohl(address.s_addr);
  }

  /// Room for one datagram; send() says where it ends. flush() lets all leave.
  char* next() { return start_ = out_.next(); }
  void send(const char* end, std::size_t index) { out_.add(size(end), source(index), target_); }
  void send(const char* end, in_addr source, const sockaddr_in& peer) { out_.add(size(end), source, peer); }
  void flush() { out_.flush(); }

  /// The address of node `index`: .1 to .254 in each /24 from the base.
  [[nodiscard]] in_addr source(std::size_t index) const {
    const auto ordinal = static_cast<std::uint32_t>(index) + first();
    in_addr address{};
    address.s_addr = htonl((base_ & 0xFFFFFF00) + ordinal / 254 * 256 + ordinal % 254 + 1);
    return address;
  }
  [[nodiscard]] std::size_t index_of(in_addr address) const {
    const auto value = ntohl(address.s_addr);
    return ((value - (base_ & 0xFFFFFF00)) >> 8) * 254 + (value & 0xFF) - 1 - first();
  }

  /// Which of the node addresses a datagram was sent to.
  static in_addr destination(const msghdr& header) {
    in_pktinfo info{};
    for (auto* cmsg = CMSG_FIRSTHDR(&header); cmsg != nullptr;
         cmsg = CMSG_NXTHDR(const_cast<msghdr*>(&header), cmsg)) {
      if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
        std::memcpy(&info, CMSG_DATA(cmsg), sizeof info);
      }
    }
    return info.ipi_addr;
  }

  /// Sends what waits, then takes what has come, waiting until `until_us` for the first:
  /// take(header, bytes, size, now).
  template <class Take>
  void receive(std::uint64_t until_us, Take&& take) {
    flush();
    const auto begin = now_us();
    const int patience_ms = until_us > begin ? static_cast<int>((until_us - begin) / 1000) : 0;
    for (int round = 0; round < 8; ++round) {
      std::array<mmsghdr, kBatch> messages{};
      for (std::size_t i = 0; i < kBatch; ++i) {
        iovecs_[i] = {buffers_[i].data(), buffers_[i].size()};
        auto& header = messages[i].msg_hdr;
        header.msg_name = &names_[i];
        header.msg_namelen = sizeof names_[i];
        header.msg_iov = &iovecs_[i];
        header.msg_iovlen = 1;
        header.msg_control = controls_[i].data();
        header.msg_controllen = controls_[i].size();
      }
      const int count = ::recvmmsg(fd_, messages.data(), kBatch, MSG_DONTWAIT, nullptr);
      if (count <= 0) {
        if (round > 0 || patience_ms == 0) return;
        pollfd waiting{fd_, POLLIN, 0};
        if (::poll(&waiting, 1, patience_ms) <= 0) return;
        continue;
      }
      const auto now = now_us();
      for (int i = 0; i < count; ++i) {
        const auto& message = messages[static_cast<std::size_t>(i)];
        take(message.msg_hdr, static_cast<const unsigned char*>(message.msg_hdr.msg_iov->iov_base),
             std::size_t{message.msg_len}, now);
      }
      if (count < static_cast<int>(kBatch)) return;
    }
  }

 private:
  static int open_socket(std::uint16_t port) {
    const int fd = ::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) die_errno("socket");
    const int on = 1;
    ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    ::setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof on);
    const int size = 16 * 1024 * 1024;
    if (::setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) != 0) {
      ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    }
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    if (::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) die_errno("bind");
    return fd;
  }
  [[nodiscard]] std::size_t size(const char* end) const { return static_cast<std::size_t>(end - start_); }
  [[nodiscard]] std::uint32_t first() const { return (base_ & 0xFF) == 0 ? 0 : (base_ & 0xFF) - 1; }

  int fd_;
  Outgoing out_;
  sockaddr_in target_{};
  std::uint32_t base_ = 0;
  char* start_ = nullptr;
  std::array<std::array<char, 2048>, kBatch> buffers_;
  std::array<std::array<char, CMSG_SPACE(sizeof(in_pktinfo))>, kBatch> controls_;
  std::array<sockaddr_in, kBatch> names_;
  std::array<iovec, kBatch> iovecs_;
};

}  // namespace bench
