#pragma once

#include <netinet/in.h>
#include <sys/socket.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "support.h"

namespace bench {

inline constexpr std::size_t kBatch = 64;

/// Datagrams that leave together.
class Outgoing {
 public:
  explicit Outgoing(int fd) : fd_(fd) {}

  /// Room for one datagram from `source` to `peer`; the caller writes it and says its size with `add`.
  char* next() {
    if (count_ == kBatch) flush();
    return buffers_[count_].data();
  }
  void add(std::size_t size, in_addr source, const sockaddr_in& peer) {
    auto& name = names_[count_];
    name = peer;
    iovecs_[count_] = {buffers_[count_].data(), size};
    auto& header = messages_[count_].msg_hdr;
    header = {};
    header.msg_name = &name;
    header.msg_namelen = sizeof name;
    header.msg_iov = &iovecs_[count_];
    header.msg_iovlen = 1;
    auto& control = controls_[count_];
    header.msg_control = control.data();
    header.msg_controllen = control.size();
    auto* cmsg = CMSG_FIRSTHDR(&header);
    cmsg->cmsg_level = IPPROTO_IP;
    cmsg->cmsg_type = IP_PKTINFO;
    cmsg->cmsg_len = CMSG_LEN(sizeof(in_pktinfo));
    in_pktinfo info{};
    info.ipi_spec_dst = source;
    std::memcpy(CMSG_DATA(cmsg), &info, sizeof info);
    ++count_;
  }
  void flush() {
    std::size_t sent = 0;
    while (sent < count_) {
      const int done = ::sendmmsg(fd_, &messages_[sent], static_cast<unsigned>(count_ - sent), 0);
      if (done < 0) {
        if (errno == EINTR) continue;
        bench::die_errno("sendmmsg");
      }
      sent += static_cast<std::size_t>(done);
    }
    count_ = 0;
  }

 private:
  int fd_;
  std::size_t count_ = 0;
  std::array<std::array<char, 512>, kBatch> buffers_;
  std::array<std::array<char, CMSG_SPACE(sizeof(in_pktinfo))>, kBatch> controls_;
  std::array<sockaddr_in, kBatch> names_;
  std::array<iovec, kBatch> iovecs_;
  std::array<mmsghdr, kBatch> messages_;
};

}  // namespace bench
