#include "cli/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <utility>

#include "core/base/text.h"

namespace aiot::cli {

namespace {

bool can_wait(int fd) {
  struct stat status {};
  return ::fstat(fd, &status) == 0 && !S_ISREG(status.st_mode);
}

}  // namespace

Output::Output(int fd) : fd_(fd), waits_(can_wait(fd)), terminal_(::isatty(fd) == 1) {}

Output::~Output() {
  if (owned_) ::close(fd_);
}

void Output::redirect(std::string path) {
  if (path == "-") return;
  path_ = std::move(path);
  name_ = text::escape_controls(path_);
  terminal_ = false;
  waits_ = false;
}

bool Output::open_file() {
  if (owned_ || path_.empty()) return true;
  fd_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd_ < 0) {
    broke(State::failed, errno);
    return false;
  }
  owned_ = true;
  return true;
}

void Output::broke(State state, int reason) {
  if (state_ != State::open) return;
  state_ = state;
  error_ = errno_error(fmt::format("cannot write to {}", name_), reason);
  error_.code = Errc::internal;
  if (auto function = std::exchange(on_broken_, nullptr)) function();
}

void Output::mark_closed() { broke(State::closed, EPIPE); }

void Output::write(std::string_view bytes) {
  if (state_ != State::open || !open_file()) return;
  if (pending_.empty()) return drain(bytes);
  pending_ += bytes;
  flush();
}

void Output::flush() {
  if (state_ != State::open || pending_.empty()) return;
  drain(std::exchange(pending_, {}));
}

void Output::drain(std::string_view bytes) {
  while (!bytes.empty()) {
    if (waits_) {
      // Waiting here and not in write(): a signal ends poll() whatever its handler's flags are.
      pollfd ready{fd_, POLLOUT, 0};
      if (::poll(&ready, 1, -1) < 0 && errno == EINTR) {
        if (!on_interrupted_) continue;
        pending_ = bytes;
        return on_interrupted_();
      }
    }
    // A pipe that is ready takes so much without waiting.
    const ssize_t written =
        ::write(fd_, bytes.data(), waits_ ? std::min<std::size_t>(bytes.size(), PIPE_BUF) : bytes.size());
    if (written < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {  // a descriptor that another program made non-blocking
        waits_ = true;
        continue;
      }
      broke(errno == EPIPE || errno == ECONNRESET ? State::closed : State::failed, errno);
      return;
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
}

void Output::line(std::string_view text) {
  std::string whole;
  whole.reserve(text.size() + 1);
  whole.append(text);
  whole += '\n';
  write(whole);
}

bool colours_on(int fd) {
  const char* no_color = std::getenv("NO_COLOR");
  return (no_color == nullptr || no_color[0] == '\0') && ::isatty(fd) == 1;
}

}  // namespace aiot::cli
