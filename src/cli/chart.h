#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace aiot::cli {

/// One line of block characters, one a value, from the least (▁) to the greatest (█); a gap where there is
/// none. Pure.
[[nodiscard]] std::string chart_line(const std::vector<std::optional<double>>& values);

/// The width of the terminal at `fd`, 80 when it does not say.
[[nodiscard]] std::size_t terminal_width(int fd);

}  // namespace aiot::cli
