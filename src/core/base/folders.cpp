#include "core/base/folders.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <thread>

#include "core/base/random.h"
#include "core/base/text.h"

namespace aiot {

namespace {

constexpr std::chrono::seconds kLockWait{5};
constexpr std::chrono::milliseconds kLockPause{20};

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  [[nodiscard]] int get() const { return fd_; }

 private:
  int fd_;
};

Error failed(std::string_view what, const std::string& path, int error) {
  Error out = errno_error(fmt::format("{} {}", what, text::escape_controls(path)), error);
  out.code = Errc::internal;
  return out;
}

Error not_made(const std::string& path, int error) { return failed("cannot make the folder", path, error); }

std::string folder_of(const std::string& path) {
  std::string folder = std::filesystem::path(path).parent_path().string();
  return folder.empty() ? "." : folder;
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const auto written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(written));
  }
  return ::fsync(fd) == 0;
}

}  // namespace

Result<void> make_private_folders(const std::string& path) {
  if (path.empty()) return not_made(path, ENOENT);
  for (std::size_t at = path.starts_with('/') ? 1 : 0; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (at != std::string::npos) ++at;
    if (::mkdir(part.c_str(), 0700) == 0 || errno == EEXIST) continue;
    return not_made(path, errno);
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return not_made(path, errno);
  if (!S_ISDIR(status.st_mode)) return not_made(path, ENOTDIR);
  return {};
}

Result<void> replace_private_file(const std::string& path, std::string_view content) {
  struct stat before {};
  struct stat folder {};
  const bool exists = ::stat(path.c_str(), &before) == 0;
  if (!exists && ::stat(folder_of(path).c_str(), &folder) != 0) return failed("cannot write", path, errno);
  const std::string aside = fmt::format("{}.{}.new", path, random_u64());
  {
    const Descriptor file(::open(aside.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600));
    if (file.get() < 0) return failed("cannot create", aside, errno);
    // Only root may give files away; for everybody else the owner is right already.
    const struct stat& owner = exists ? before : folder;
    const bool owned = ::geteuid() != 0 || ::fchown(file.get(), owner.st_uid, owner.st_gid) == 0;
    const bool whole = owned && (!exists || ::fchmod(file.get(), before.st_mode & 07777U) == 0) &&
                       write_all(file.get(), content);
    if (!whole || ::rename(aside.c_str(), path.c_str()) != 0) {
      const int saved = errno;
      ::unlink(aside.c_str());
      return failed("cannot write", path, saved);
    }
  }
  const Descriptor parent(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (parent.get() >= 0) ::fsync(parent.get());
  return {};
}

Result<void> with_folder_lock(const std::string& path, const UniqueFunction<Result<void>()>& change) {
  const Descriptor folder(::open(folder_of(path).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder.get() < 0) return failed("cannot open the folder of", path, errno);
  const auto end = std::chrono::steady_clock::now() + kLockWait;
  while (::flock(folder.get(), LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK && errno != EINTR) return failed("cannot lock the folder of", path, errno);
    if (std::chrono::steady_clock::now() > end) {
      return make_error(Errc::timeout,
                        fmt::format("another process is changing {}", text::escape_controls(path)));
    }
    std::this_thread::sleep_for(kLockPause);
  }
  return change();
}

}  // namespace aiot
