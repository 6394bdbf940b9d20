#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/runner.h"

namespace aiot::cli {

namespace {

class SimulateCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {"PROTOCOL", "Runs virtual nodes that speak a protocol as real ones do.", {}, {}};
  }
  void configure(CLI::App& app) override { add_argument(app, "PROTOCOL", protocol_, "coap", true); }
  int run(Context& context) override {
    return context.fail(make_error(Errc::usage, "no protocol can be simulated yet"));
  }

 private:
  std::string protocol_;
};

}  // namespace

std::unique_ptr<Command> make_simulate_command() { return std::make_unique<SimulateCommand>(); }

}  // namespace aiot::cli
