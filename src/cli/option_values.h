#pragma once

#include "cli/config.h"

namespace aiot::cli {

struct CommandRow;

/// Whether the option that `entry` sets takes its values; `row` is the command of its table, null for the
/// top. The key has to be one that it has. Errc::usage names file and line.
[[nodiscard]] Result<void> check_values(const ConfigEntry& entry, const CommandRow* row);

}  // namespace aiot::cli
