#pragma once

#include <string>
#include <vector>

namespace aiot::cli {

/// What main() does with its arguments (without the program's name). Returns the exit status; a command that
/// a signal ended does not return, it ends the process by that signal.
int run_program(const std::vector<std::string>& arguments);

}  // namespace aiot::cli
