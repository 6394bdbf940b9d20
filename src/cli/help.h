#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace aiot::cli {

struct CommandRow;

/// What `aiot --help` prints: the commands by group, the global options.
[[nodiscard]] std::string overview_text();
/// What `aiot NAME --help` prints.
[[nodiscard]] std::string command_help_text(const CommandRow& row);
/// "usage: aiot get [OPTIONS] URI..."
[[nodiscard]] std::string usage_line(const CommandRow& row);

/// The paragraphs of a CommandHelp::description.
[[nodiscard]] std::vector<std::string_view> split_paragraphs(std::string_view description);

/// `text` broken between words into lines of at most `width` columns, all but the first indented by `indent`.
[[nodiscard]] std::string wrap(std::string_view text, std::size_t width, std::size_t indent);

}  // namespace aiot::cli
