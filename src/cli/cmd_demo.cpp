#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/runner.h"

namespace aiot::cli {

namespace {

class DemoCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {"", "Runs the whole system with a few virtual nodes.", {}, {}};
  }
  void configure(CLI::App& /*app*/) override {}
  int run(Context& context) override {
    return context.fail(make_error(Errc::usage, "the demo is not built"));
  }
};

}  // namespace

std::unique_ptr<Command> make_demo_command() { return std::make_unique<DemoCommand>(); }

}  // namespace aiot::cli
