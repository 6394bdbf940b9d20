#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "daemon/gateway/policy.h"

/// The node table on disk: one JSON object a line, the first names format and version, the last counts the
/// nodes so that a cut file is noticed.
namespace aiot::gateway {

inline constexpr int kNodeFileVersion = 1;

[[nodiscard]] std::string node_file_head();
void append_node(std::string& out, const Node& node);
[[nodiscard]] std::string node_file_tail(std::size_t nodes);

/// Errc::internal names the line that is wrong, or the version that is not known.
[[nodiscard]] Result<std::vector<SavedNode>> parse_node_file(std::string_view text);

/// Reads the whole of `path`; an empty text when there is no such file.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
/// Replaces `path` so that a crash leaves the old or the new content: writes beside it, syncs, renames.
/// Blocks: for a worker thread.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view content);

}  // namespace aiot::gateway
