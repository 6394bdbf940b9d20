#include "cli/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/secret_file.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

Error file_error(const std::string& path, int reason) {
  Error error = errno_error(fmt::format("cannot read {}", text::escape_controls(path)), reason);
  error.code = Errc::internal;
  return error;
}

Result<std::string> read_descriptor(int fd, const std::string& name, std::size_t most) {
  std::string out;
  char buffer[64 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return file_error(name, errno);
    if (got == 0) return out;
    if (out.size() + static_cast<std::size_t>(got) > most) {
      return make_error(Errc::usage,
                        fmt::format("{} is longer than {} bytes", text::escape_controls(name), most));
    }
    out.append(buffer, static_cast<std::size_t>(got));
  }
}

}  // namespace

Result<std::string> read_file(const std::string& path, std::size_t most) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return file_error(path, errno);
  auto out = read_descriptor(fd, path, most);
  ::close(fd);
  return out;
}

Result<std::string> read_stdin(std::size_t most) {
  return read_descriptor(STDIN_FILENO, "standard input", most);
}

Result<std::string> read_secret(const std::string& path) {
  auto content = read_secret_file(path, "file");
  if (!content) return content;
  std::string out(text::trim(*content));
  if (out.empty()) return make_error(Errc::usage, fmt::format("{} is empty", text::escape_controls(path)));
  return out;
}

Result<std::string> read_value(const std::string& value) {
  if (value == "-") return read_stdin();
  if (!value.empty() && value.front() == '@') return read_file(value.substr(1));
  return value;
}

}  // namespace aiot::cli
