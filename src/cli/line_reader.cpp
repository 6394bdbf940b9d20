#include "cli/line_reader.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <utility>

namespace aiot::cli {

namespace {

constexpr int kBatch = 64;

/// Epoll refuses regular files and some devices (/dev/null); reading those does not wait.
bool is_watchable(int fd) {
  struct stat status {};
  if (::fstat(fd, &status) != 0) return false;
  return S_ISFIFO(status.st_mode) || S_ISSOCK(status.st_mode) ||
         (S_ISCHR(status.st_mode) && ::isatty(fd) == 1);
}

}  // namespace

LineReader::LineReader(EventLoop& loop, int fd, UniqueFunction<void(std::string)> line,
                       UniqueFunction<void(Result<void>)> end)
    : loop_(loop),
      fd_(fd),
      watchable_(is_watchable(fd)),
      line_(std::move(line)),
      end_(std::move(end)),
      soon_(loop.make_timer([this] { deliver(); })) {
  if (watchable_) watch_ = loop_.watch(fd_, 0, [this](unsigned) { readable(); });
}

void LineReader::next() {
  wanted_ = true;
  soon_->start(Duration::zero());
}

void LineReader::deliver() {
  // Lines that are there come together, as long as they are asked for.
  std::size_t begin = 0;
  for (int i = 0; i < kBatch && wanted_; ++i) {
    const std::size_t newline = buffer_.find('\n', std::max(begin, scanned_));
    if (newline == std::string::npos) break;
    std::string line = buffer_.substr(begin, newline - begin);
    scanned_ = begin = newline + 1;
    wanted_ = false;
    give(std::move(line));
  }
  buffer_.erase(0, begin);
  scanned_ -= std::min(scanned_, begin);
  if (!wanted_ || begin > 0) return;  // asked for again, there is a next turn
  scanned_ = buffer_.size();
  if (failed_ != 0 || buffer_.size() > kMaxLine) {
    wanted_ = false;
    end_(failed_ != 0
             ? errno_error("cannot read standard input", failed_)
             : make_error(Errc::usage,
                          fmt::format("a line of standard input is longer than {} bytes", kMaxLine)));
  } else if (at_end_) {
    wanted_ = false;
    scanned_ = 0;
    // A last line without a newline is one all the same.
    if (!buffer_.empty()) {
      give(std::exchange(buffer_, {}));
    } else {
      end_({});
    }
  } else if (watchable_) {
    watch_->set(FdWatch::kReadable | FdWatch::kHangup);
  } else {
    readable();
  }
}

void LineReader::give(std::string line) {
  if (!line.empty() && line.back() == '\r') line.pop_back();
  line_(std::move(line));
}

void LineReader::readable() {
  if (watchable_) watch_->set(0);
  char bytes[16 * 1024];
  const ssize_t got = ::read(fd_, bytes, sizeof bytes);
  if (got > 0) {
    buffer_.append(bytes, static_cast<std::size_t>(got));
  } else if (got == 0) {
    at_end_ = true;
  } else if (errno != EINTR && errno != EAGAIN) {
    failed_ = errno;
  }
  soon_->start(Duration::zero());
}

}  // namespace aiot::cli
