#include "cli/password_prompt.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>
#include <string_view>

#include "cli/files.h"
#include "core/base/secret_file.h"

namespace aiot::cli {

namespace {

constexpr std::size_t kMaxLine = 4096;

/// The controlling terminal, without echo for as long as this lives.
class Terminal {
 public:
  Terminal() : fd_(::open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY)) {
    if (fd_ < 0 || ::tcgetattr(fd_, &before_) != 0) return;
    termios silent = before_;
    silent.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    silent_ = ::tcsetattr(fd_, TCSAFLUSH, &silent) == 0;
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;
  ~Terminal() {
    if (silent_) ::tcsetattr(fd_, TCSAFLUSH, &before_);
    if (fd_ >= 0) ::close(fd_);
  }

  [[nodiscard]] bool there() const { return silent_; }
  [[nodiscard]] std::string ask(std::string_view question) const {
    std::string line;
    (void)!::write(fd_, question.data(), question.size());
    char c = 0;
    while (line.size() < kMaxLine) {
      const auto got = ::read(fd_, &c, 1);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0 || c == '\n') break;
      line += c;
    }
    (void)!::write(fd_, "\n", 1);
    return line;
  }

 private:
  int fd_;
  termios before_{};
  bool silent_ = false;
};

}  // namespace

Result<std::string> read_new_password(const std::string& file) {
  if (!file.empty()) {
    auto content = file == "-" ? read_stdin(kMaxLine) : read_secret_file(file, "password file");
    if (!content) return content;
    // A password may begin or end with spaces, but a line's end is none of it.
    std::string password = content->substr(0, content->find('\n'));
    if (!password.empty() && password.back() == '\r') password.pop_back();
    return password;
  }
  const Terminal terminal;
  if (!terminal.there()) {
    return make_error(Errc::usage,
                      "there is no terminal to ask for the password: give --password-file FILE or -");
  }
  std::string password = terminal.ask("Password: ");
  if (terminal.ask("Again: ") != password) return make_error(Errc::usage, "the two passwords differ");
  return password;
}

}  // namespace aiot::cli
