#include "core/base/folders.h"

#include <cerrno>

#include <sys/stat.h>

#include "core/base/text.h"

namespace aiot {

namespace {

Error failed(const std::string& path, int error) {
  Error out = errno_error("cannot make the folder " + text::escape_controls(path), error);
  out.code = Errc::internal;
  return out;
}

}  // namespace

Result<void> make_private_folders(const std::string& path) {
  if (path.empty()) return failed(path, ENOENT);
  for (std::size_t at = path.starts_with('/') ? 1 : 0; at != std::string::npos;) {
    at = path.find('/', at);
    const std::string part = path.substr(0, at);
    if (at != std::string::npos) ++at;
    if (::mkdir(part.c_str(), 0700) == 0 || errno == EEXIST) continue;
    return failed(path, errno);
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return failed(path, errno);
  if (!S_ISDIR(status.st_mode)) return failed(path, ENOTDIR);
  return {};
}

}  // namespace aiot
