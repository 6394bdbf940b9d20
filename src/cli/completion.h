#pragma once

#include <string>

/// Completion scripts, made from the command table.
namespace aiot::cli {

[[nodiscard]] std::string bash_completion();
[[nodiscard]] std::string zsh_completion();
[[nodiscard]] std::string fish_completion();

}  // namespace aiot::cli
