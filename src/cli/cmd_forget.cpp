#include <nlohmann/json.hpp>

#include "cli/broker_api.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/request_run.h"
#include "cli/runner.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

/// Forgets nodes one after another.
class Forgetting {
 public:
  Forgetting(Context& context, const BrokerApi& api, const std::vector<std::string>& uids)
      : context_(context), runner_(context), api_(api), uids_(uids) {}

  int run() {
    next();
    return runner_.run();
  }

 private:
  void next() {
    if (at_ == uids_.size()) return runner_.finish(report_tally(context_, tally_, "nodes"));
    operation_ = api_.ask("DELETE", api_path("nodes/" + percent_encode(uids_[at_])), {},
                          [this](const Result<ordered_json>& result) { answered(result); });
  }

  void answered(const Result<ordered_json>& result) {
    const std::string& uid = uids_[at_];
    if (!result) {
      context_.fail(result.error(), api_.uri_of(uid));
      tally_.failed(at_, result.error().code);
    } else {
      tally_.succeeded();
      if (context_.json()) context_.output().line(json_line({{"uid", uid}, {"forgotten", true}}));
    }
    ++at_;
    next();
  }

  Context& context_;
  Runner runner_;
  const BrokerApi& api_;
  const std::vector<std::string>& uids_;
  std::size_t at_ = 0;
  Operation operation_;
  Tally tally_;
};

class ForgetCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "UID...",
        "Removes nodes from a broker, with their values, labels, history and events. A node whose gateway "
        "still hears it comes back, as a new one, with its next message. With --json a line a node.",
        {{"aiot forget n1", "one node"},
         {"aiot --json nodes --state out | jq -r .uid | xargs aiot forget", "all that are out"}},
        {"aiot-nodes(1)", "aiot-label(1)", "aiot-export(1)"}};
  }

  void configure(CLI::App& app) override { add_arguments(app, "UID", uids_, "the nodes", true); }

  int run(Context& context) override {
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    return Forgetting(context, *api, uids_).run();
  }

 private:
  std::vector<std::string> uids_;
};

}  // namespace

std::unique_ptr<Command> make_forget_command() { return std::make_unique<ForgetCommand>(); }

}  // namespace aiot::cli
