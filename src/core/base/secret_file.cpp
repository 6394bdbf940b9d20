#include "core/base/secret_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "core/base/log.h"
#include "core/base/text.h"

namespace aiot {

namespace {

/// $CREDENTIALS_DIRECTORY with its slash; empty without one.
std::string credentials_folder() {
  const char* folder = std::getenv("CREDENTIALS_DIRECTORY");
  return folder == nullptr || folder[0] != '/' ? std::string() : std::string(folder) + "/";
}

Error unreadable(const std::string& path, std::string_view what, int reason) {
  Error error = errno_error(fmt::format("cannot read the {} {}", what, text::escape_controls(path)), reason);
  error.code = Errc::internal;
  return error;
}

SecretSafety safety_of(const std::string& path, const struct stat& status) {
  SecretSafety out;
  if (!S_ISREG(status.st_mode)) return out;
  // systemd grants the service access by an access control list, which stat() shows as the group's.
  if (const std::string folder = credentials_folder(); !folder.empty() && path.starts_with(folder))
    return out;
  const std::string name = text::escape_controls(path);
  if ((status.st_mode & (S_IWGRP | S_IWOTH)) != 0) {
    out.refusal =
        fmt::format("{0} can be written by others (mode {1:04o}), so it is not used: chmod go-w {0}", name,
                    status.st_mode & 07777U);
  } else if (status.st_uid != 0 && ::geteuid() != 0 && status.st_uid != ::geteuid()) {
    out.refusal =
        fmt::format("{0} belongs to another user, so it is not used: chown {1} {0}", name, ::geteuid());
  } else if ((status.st_mode & S_IROTH) != 0 ||
             ((status.st_mode & S_IRGRP) != 0 && !(status.st_uid == 0 && status.st_gid != 0))) {
    // What is root's and of another group is meant for that group: a daemon's.
    out.warning =
        fmt::format("{0} is open to others (mode {1:04o}): chmod 600 {0}", name, status.st_mode & 07777U);
  }
  return out;
}

Result<void> judge(const std::string& path, const struct stat& status) {
  const SecretSafety safety = safety_of(path, status);
  if (!safety.refusal.empty()) return make_error(Errc::usage, safety.refusal);
  if (!safety.warning.empty()) log::warn("{}", safety.warning);
  return {};
}

}  // namespace

Result<SecretSafety> secret_safety(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return unreadable(path, "file", errno);
  return safety_of(path, status);
}

Result<void> check_secret_file(const std::string& path) {
  struct stat status {};
  // Whoever reads it says better what is wrong with a file that is not there.
  if (::stat(path.c_str(), &status) != 0) return {};
  return judge(path, status);
}

Result<std::string> read_secret_file(const std::string& path, std::string_view what, std::size_t most) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return unreadable(path, what, errno);
  struct stat status {};
  std::string out;
  int failed = ::fstat(fd, &status) != 0 ? errno : 0;
  for (char buffer[4096]; failed == 0 && out.size() <= most;) {
    const ssize_t got = ::read(fd, buffer, sizeof buffer);
    if (got > 0) out.append(buffer, static_cast<std::size_t>(got));
    if (got == 0) break;
    if (got < 0 && errno != EINTR) failed = errno;
  }
  ::close(fd);
  const std::string name = text::escape_controls(path);
  if (failed == EISDIR)
    return make_error(Errc::usage, fmt::format("{} is a directory, not a {}", name, what));
  if (failed != 0) return unreadable(path, what, failed);
  if (auto good = judge(path, status); !good) return good.error();
  if (out.size() > most) {
    return make_error(Errc::usage, fmt::format("{} is too long for a {}", name, what));
  }
  return out;
}

std::string credential_file(std::string_view name) {
  const std::string folder = credentials_folder();
  if (folder.empty()) return {};
  std::string path = folder + std::string(name);
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {};
  auto content = read_secret_file(path, "credential");
  return content && text::trim(*content).empty() ? std::string() : path;
}

}  // namespace aiot
