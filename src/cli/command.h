#pragma once

#include <memory>
#include <string_view>
#include <vector>

namespace CLI {
class App;
}

/// The command line: what `aiot` is from a shell (aiot(1)).
namespace aiot::cli {

class Context;

/// What a command says of itself beside its options; `--help`, the manual pages and the completions
/// are all made from it.
struct CommandHelp {
  /// After "aiot NAME [OPTIONS]": "URI...", "URI [VALUE]".
  std::string_view synopsis;
  /// Paragraphs, parted by empty lines. A paragraph whose lines start with two spaces is shown as it stands.
  std::string_view description;
  struct Example {
    std::string_view command;
    std::string_view what;  ///< one short clause
  };
  std::vector<Example> examples;
  /// Further manual pages: "aiot-uri(7)".
  std::vector<std::string_view> see_also;
};

/// One subcommand. An object lives for one invocation: configure() binds its members to options, run() uses
/// them.
///
/// A new command costs one file (cmd_NAME.cpp, with a class and its make function) and one row in
/// command_table.cpp.
class Command {
 public:
  virtual ~Command() = default;
  [[nodiscard]] virtual CommandHelp help() const = 0;
  /// Adds the command's own options and positional arguments (options.h has the common ones). The global
  /// options are there already. Called on a fresh CLI::App named after the command; must be cheap and touch
  /// nothing but members.
  virtual void configure(CLI::App& app) = 0;
  /// It can print CSV (--output csv).
  [[nodiscard]] virtual bool has_csv() const { return false; }
  /// Does the work and returns the exit status (exit_status.h). Results go to context.output(), failures
  /// through context.fail(). May throw CLI::ValidationError only before it has done anything.
  virtual int run(Context& context) = 0;
};

/// One row of the table.
struct CommandRow {
  std::string_view name;
  std::string_view group;    ///< heading in `aiot --help`
  std::string_view summary;  ///< one line, without a full stop
  std::unique_ptr<Command> (*make)();
};

}  // namespace aiot::cli
