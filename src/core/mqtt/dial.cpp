#include "core/mqtt/dial.h"

#include <fmt/core.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>

namespace aiot::mqtt {

namespace {

class Dial : public std::enable_shared_from_this<Dial> {
 public:
  Dial(EventLoop& loop, std::string host, Duration timeout, Completion<int> done)
      : loop_(loop),
        host_(std::move(host)),
        deadline_(loop.now() + timeout),
        done_(std::move(done)),
        error_(make_error(Errc::timeout, host_ + ": the name was not resolved in time")) {}
  ~Dial() { drop(); }
  Dial(const Dial&) = delete;
  Dial& operator=(const Dial&) = delete;

  void start(std::uint16_t port) {
    timer_ = loop_.make_timer([this] {
      drop();
      if (at_ > 0) error_ = make_error(Errc::timeout, named("no answer to the connection attempt"));
      next();
    });
    timer_->start(deadline_ - loop_.now());
    resolving_ = loop_.resolve(host_, port, [this](Result<std::vector<SocketAddress>> found) {
      if (!found) {
        finish(found.error());
        return;
      }
      addresses_ = std::move(*found);
      next();
    });
  }
  void cancel() {
    done_.dismiss();
    resolving_.cancel();
    timer_.reset();
    drop();
  }

 private:
  void next() {
    const Duration left = deadline_ - loop_.now();
    if (at_ == addresses_.size() || left <= Duration::zero()) {
      finish(error_);
      return;
    }
    timer_->start(left / static_cast<Duration::rep>(addresses_.size() - at_));
    const SocketAddress& address = addresses_[at_++];
    fd_ = ::socket(address.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd_ < 0) {
      failed(errno);
      return;
    }
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    sockaddr_storage storage{};
    const socklen_t size = address.to(storage);
    if (::connect(fd_, reinterpret_cast<const sockaddr*>(&storage), size) != 0 && errno != EINPROGRESS) {
      failed(errno);
      return;
    }
    // Also when it is connected at once: the answer comes on a turn of its own.
    watch_ = loop_.watch(fd_, FdWatch::kWritable, [this](unsigned) { connected(); });
  }

  void connected() {
    const auto self = shared_from_this();
    int error = 0;
    socklen_t size = sizeof error;
    ::getsockopt(fd_, SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) {
      failed(error);
    } else {
      watch_.reset();
      finish(std::exchange(fd_, -1));
    }
  }

  void failed(int error) {
    drop();
    error_ = errno_error(named(""), error);
    next();
  }

  void finish(Result<int> result) {
    const auto self = shared_from_this();
    timer_.reset();
    resolving_.cancel();
    done_(std::move(result));
  }

  void drop() {
    watch_.reset();
    if (fd_ >= 0) ::close(std::exchange(fd_, -1));
  }

  [[nodiscard]] std::string named(std::string_view what) const {
    const std::string address = at_ > 0 ? addresses_[at_ - 1].text() : host_;
    const std::string name =
        at_ > 0 && addresses_[at_ - 1].host() != host_ ? fmt::format("{} ({})", host_, address) : address;
    return what.empty() ? name : fmt::format("{}: {}", name, what);
  }

  EventLoop& loop_;
  std::string host_;
  TimePoint deadline_;
  Completion<int> done_;
  Operation resolving_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<FdWatch> watch_;
  std::vector<SocketAddress> addresses_;
  std::size_t at_ = 0;
  Error error_;
  int fd_ = -1;
};

}  // namespace

Operation dial(EventLoop& loop, const std::string& host, std::uint16_t port, Duration timeout,
               Completion<int> done) {
  auto task = std::make_shared<Dial>(loop, host, timeout, std::move(done));
  task->start(port);
  return Operation([task] { task->cancel(); });
}

}  // namespace aiot::mqtt
