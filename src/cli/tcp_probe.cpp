#include "cli/tcp_probe.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

namespace aiot::cli {

TcpProbe::TcpProbe(EventLoop& loop, std::vector<SocketAddress> addresses, Duration timeout,
                   Completion<SocketAddress> done)
    : loop_(loop), addresses_(std::move(addresses)), timeout_(timeout), done_(std::move(done)) {
  // Armed first for the next turn, so that nothing is answered inside the constructor.
  timer_ = loop_.make_timer([this] {
    if (fd_ < 0) return try_next();
    failed(make_error(Errc::timeout, fmt::format("{} does not answer within {}", addresses_[next_ - 1].text(),
                                                 format_duration(timeout_))));
  });
  timer_->start(Duration(0));
}

TcpProbe::~TcpProbe() {
  done_.dismiss();
  close();
}

void TcpProbe::try_next() {
  const SocketAddress& address = addresses_[next_++];
  sockaddr_storage raw{};
  const socklen_t length = address.to(raw);
  fd_ = ::socket(raw.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd_ < 0 ||
      (::connect(fd_, reinterpret_cast<const sockaddr*>(&raw), length) != 0 && errno != EINPROGRESS)) {
    return failed(errno_error(fmt::format("cannot connect to {}", address.text()), errno));
  }
  watch_ = loop_.watch(fd_, FdWatch::kWritable, [this](unsigned) { connected(); });
  timer_->start(timeout_);
}

void TcpProbe::connected() {
  int reason = 0;
  socklen_t size = sizeof reason;
  if (::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &reason, &size) != 0) reason = errno;
  const SocketAddress& address = addresses_[next_ - 1];
  if (reason != 0) return failed(errno_error(fmt::format("cannot connect to {}", address.text()), reason));
  close();
  timer_->stop();
  done_(address);
}

void TcpProbe::failed(Error error) {
  close();
  if (next_ < addresses_.size()) {
    timer_->start(Duration(0));
    return;
  }
  timer_->stop();
  error.code = error.code == Errc::timeout ? Errc::timeout : Errc::unreachable;
  done_(std::move(error));
}

void TcpProbe::close() {
  watch_.reset();
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

}  // namespace aiot::cli
