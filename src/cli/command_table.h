#pragma once

#include <string_view>
#include <vector>

#include "cli/command.h"

namespace aiot::cli {

/// Every command, in the order in which help shows them.
[[nodiscard]] const std::vector<CommandRow>& command_table();
/// Null when there is none of that name.
[[nodiscard]] const CommandRow* find_command(std::string_view name);

}  // namespace aiot::cli
