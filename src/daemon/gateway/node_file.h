#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "daemon/gateway/policy.h"

/// The node table on disk: one JSON object a line. The first names format and version, then come nodes and
/// their number, so that a cut file is noticed. Nodes that follow behind it are new or replace what is above;
/// the last of them may be cut, as a crash leaves it.
namespace aiot::gateway {

inline constexpr int kNodeFileVersion = 1;

[[nodiscard]] std::string node_file_head();
void append_node(std::string& out, const Node& node);
[[nodiscard]] std::string node_file_tail(std::size_t nodes);

struct NodeFile {
  std::vector<SavedNode> nodes;
  std::size_t appended = 0;  ///< lines behind the number
  bool cut = false;          ///< nothing may be appended
};
/// Errc::internal names the line that is wrong, or the version that is not known.
[[nodiscard]] Result<NodeFile> parse_node_file(std::string_view text);

/// Reads the whole of `path`; an empty text when there is no such file.
[[nodiscard]] Result<std::string> read_file(const std::string& path);
/// Writes at the end of `path`, which must be there, and syncs. After an error the end may be cut.
/// Blocks: for a worker thread.
[[nodiscard]] Result<void> append_file(const std::string& path, std::string_view content);
/// Replaces `path` so that a crash leaves the old or the new content: writes beside it, syncs, renames.
/// Blocks: for a worker thread.
[[nodiscard]] Result<void> replace_file(const std::string& path, std::string_view content);

}  // namespace aiot::gateway
