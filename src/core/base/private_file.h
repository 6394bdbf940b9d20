#pragma once

#include <string>
#include <string_view>

#include "core/base/function.h"
#include "core/base/result.h"

/// Files that hold secrets: read whole, replaced whole.
namespace aiot {

/// The whole of a file of at most `most` bytes. Errc::usage for one that others may write to (its content
/// could be anybody's), that is no file or too long; Errc::internal, with errno in `native`, when it cannot
/// be read.
[[nodiscard]] Result<std::string> read_private_file(const std::string& path, std::size_t most);
/// Replaces the file, or makes it with mode 0600, so that a reader sees the old content or the new and a
/// power cut leaves one of them. Owner and mode stay; a new file gets its folder's owner where that is
/// possible, so that what root writes for a daemon the daemon can read. Errc::internal.
[[nodiscard]] Result<void> replace_private_file(const std::string& path, std::string_view content);
/// Runs `change` while no other process runs one in the same folder. Errc::timeout when another does for 5 s.
[[nodiscard]] Result<void> with_folder_lock(const std::string& path,
                                            const UniqueFunction<Result<void>()>& change);

}  // namespace aiot
