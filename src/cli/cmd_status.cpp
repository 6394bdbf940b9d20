#include <fmt/format.h>
#include <unistd.h>

#include <nlohmann/json.hpp>

#include "cli/broker_api.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/runner.h"
#include "cli/status_table.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

class StatusCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "",
        "Shows what each gateway and the broker counted since they started: updates received, stored (a "
        "gateway's in its journal), restored from the journal at its start, acknowledged (a gateway's by "
        "the broker, the broker's once they are on disk), delivered (a gateway's to the broker, the "
        "broker's to clients), still queued (at the broker in bytes), and dropped, with the reasons. Below "
        "it says \"balanced\" when all that came in is accounted for, else what is not. A figure that a "
        "hop does not tell is \"-\".\n\n"
        "It exits 0 when all balances and 1 when not. --json prints the broker's answer, one object.",
        {{"aiot status", "at the broker of --broker, AIOT_BROKER or this machine"},
         {"aiot --json status | jq .gateways[].queued", "one figure"}},
        {"aiot-nodes(1)", "aiot-events(1)"}};
  }

  void configure(CLI::App& /*app*/) override {}

  int run(Context& context) override {
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    Runner runner(context);
    const Operation operation = api->get(api_path("status"), [&](const Result<ordered_json>& status) {
      if (!status) return runner.finish(context.fail(status.error(), api->base_uri()));
      const auto balanced = status->find("balanced");
      if (balanced == status->end() || !balanced->is_boolean()) {
        return runner.finish(
            context.fail(make_error(Errc::peer_failed, "the broker's status is malformed"), api->base_uri()));
      }
      Output& output = context.output();
      context.json() ? output.line(json_line(*status))
                     : output.write(status_table(*status, colours_on(STDOUT_FILENO)));
      runner.finish(balanced->get<bool>() ? kDone : kInternal);
    });
    return runner.run();
  }
};

}  // namespace

std::unique_ptr<Command> make_status_command() { return std::make_unique<StatusCommand>(); }

}  // namespace aiot::cli
