#pragma once

#include <string>
#include <vector>

#include "cli/arguments.h"

namespace CLI {
class App;
}

namespace aiot::cli {

struct CommandRow;

/// An option or argument as help, manual pages and completions show it.
struct OptionInfo {
  OptionShape shape;
  std::string placeholder;  ///< "DURATION"; empty for a flag
  std::string help;
  std::string environment;           ///< the variable that sets it, empty for none
  std::vector<std::string> choices;  ///< the words it takes, empty for any
  bool global = false;
  bool positional = false;
  bool required = false;
  bool repeats = false;
};

/// The options of a configured app, in the order in which they were added.
[[nodiscard]] std::vector<OptionInfo> option_model(const CLI::App& app);
/// The global options alone.
[[nodiscard]] std::vector<OptionInfo> global_options();
/// Those of one command, global ones included.
[[nodiscard]] std::vector<OptionInfo> command_options(const CommandRow& row);
[[nodiscard]] std::vector<OptionShape> shapes_of(const std::vector<OptionInfo>& options);

}  // namespace aiot::cli
