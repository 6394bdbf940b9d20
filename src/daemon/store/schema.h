#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "daemon/store/database.h"

/// The database's file: its tables, their versions, and what to do with a file that is damaged.
namespace aiot::store {

/// The statements of each version after the one before it; the file's user_version counts them.
[[nodiscard]] const std::vector<const char*>& schema_steps();

/// Opens `path`, or makes it, with `steps` done. A database that is damaged is not good() and says so; an
/// error is what no new file would mend: a newer version, a file that cannot be read or made.
Result<std::unique_ptr<Database>> open_database(const std::string& path,
                                                const std::vector<const char*>& steps = schema_steps());

/// Renames the database and its companions to a name not in use; that name, or the first error.
Result<std::string> set_aside(const std::string& path);

/// Copies what can be read of nodes, values, gateways and the latest history out of a damaged file, and not
/// its older history, which may be long. The number of rows.
std::uint64_t salvage(const std::string& damaged, Database& into);

/// Held by one process at a time; dropped with the object or the process.
class FolderLock {
 public:
  /// Errc::internal naming the file when another has it, or it cannot be made.
  static Result<std::unique_ptr<FolderLock>> take(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}  // namespace aiot::store
