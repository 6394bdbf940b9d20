#pragma once

#include <string>
#include <string_view>

#include "core/base/function.h"
#include "core/base/result.h"

namespace aiot {

/// Makes the folder `path` and what is missing above it, each readable by its owner alone; a folder
/// that is there already is left as it is. Errors: Errc::internal, naming `path` and the reason.
Result<void> make_private_folders(const std::string& path);

/// Replaces the file, or makes it with mode 0600, so that a reader sees the old content or the new and a
/// power cut leaves one of them. Owner and mode stay; a new file gets its folder's owner where that is
/// possible, so that what root writes for a daemon the daemon can read. Errc::internal.
[[nodiscard]] Result<void> replace_private_file(const std::string& path, std::string_view content);
/// Runs `change` while no other process runs one in the same folder. Errc::timeout when another does for 5 s.
[[nodiscard]] Result<void> with_folder_lock(const std::string& path,
                                            const UniqueFunction<Result<void>()>& change);

}  // namespace aiot
