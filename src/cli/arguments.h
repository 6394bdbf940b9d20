#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"

/// The grammar of the command line (aiot(1)), pure: what CLI11 is given has been taken apart here, because it
/// takes "-.5" for options, "[a,b]" for lists and "{}" for nothing, and knows no did-you-mean.
namespace aiot::cli {

/// What the splitter must know of an option.
struct OptionShape {
  std::vector<std::string> long_names;  ///< without dashes
  std::string short_names;              ///< one character each
  bool takes_value = false;
};

/// One option as it was given, under the first of its names ("--timeout").
struct SplitOption {
  std::string name;
  std::optional<std::string> value;

  friend bool operator==(const SplitOption&, const SplitOption&) = default;
};

struct SplitArguments {
  std::vector<SplitOption> options;  ///< in their order
  std::vector<std::string> positionals;
};

/// "-5", "-.5", "-1e3": a value, not options.
[[nodiscard]] bool looks_like_number(const std::string& argument);

/// Takes `arguments` apart: `--name value`, `--name=value`, `-n value`, `-nvalue`, `-vv`; `--` ends options;
/// `-` and negative numbers are positional. Errc::usage for an unknown option (with a did-you-mean), a
/// missing value and a value that a flag does not take.
[[nodiscard]] Result<SplitArguments> split_arguments(const std::vector<std::string>& arguments,
                                                     const std::vector<OptionShape>& shapes);

/// What stands before and at the command word.
struct CommandWord {
  std::optional<std::size_t> index;  ///< of the command among the arguments; nothing when there is none
  bool help = false;                 ///< -h or --help stands before it
  bool version = false;
};

/// Finds the command: the first argument that is neither a global option nor the value of one. Errc::usage
/// for an option before it that is not global.
[[nodiscard]] Result<CommandWord> find_command_word(const std::vector<std::string>& arguments,
                                                    const std::vector<OptionShape>& global_shapes);

/// True when the arguments (or, without a word on it there, `environment`) ask for JSON; for errors found
/// before they are parsed.
[[nodiscard]] bool asks_for_json(const std::vector<std::string>& arguments, const char* environment);

/// "; did you mean 'get'?" or nothing.
[[nodiscard]] std::string did_you_mean(std::string_view word,
                                       const std::vector<std::string_view>& candidates);

}  // namespace aiot::cli
