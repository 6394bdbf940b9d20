#include <memory>
#include <nlohmann/json.hpp>

#include "cli/broker_api.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/runner.h"
#include "cli/text_table.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

/// Asks page after page.
class GatewayList {
 public:
  GatewayList(Context& context, BrokerApi api) : context_(context), api_(std::move(api)), runner_(context) {}

  int run() {
    ask("");
    return runner_.run();
  }

 private:
  void ask(const std::string& cursor) {
    operation_ = api_.get(api_path("gateways", {{"limit", "1000"}, {"cursor", cursor}}),
                          [this](const Result<ordered_json>& page) { answered(page); });
  }

  void answered(const Result<ordered_json>& page) {
    if (!page) return runner_.finish(context_.fail(page.error(), api_.base_uri()));
    const auto items = page->find("items");
    if (items == page->end() || !items->is_array()) {
      return runner_.finish(
          context_.fail(make_error(Errc::peer_failed, "the broker's list has no items"), api_.base_uri()));
    }
    for (const auto& gateway : *items) add(gateway);
    if (const std::string next = member(*page, "next"); !next.empty()) return ask(next);
    if (!context_.json()) context_.output().write(table_.text());
    runner_.finish(kDone);
  }

  void add(const ordered_json& gateway) {
    if (context_.json()) return context_.output().line(json_line(gateway));
    const auto nodes = gateway.find("nodes");
    table_.add({member(gateway, "name"), member(gateway, "state"),
                nodes != gateway.end() && nodes->is_number_unsigned()
                    ? std::to_string(nodes->get<std::uint64_t>())
                    : std::string(),
                member(gateway, "site"), member(gateway, "wire"), member(gateway, "credential"),
                member(gateway, "peer"), member(gateway, "software")});
  }

  Context& context_;
  BrokerApi api_;
  Runner runner_;
  Operation operation_;
  TextTable table_{{"NAME", "STATE", "NODES", "SITE", "WIRE", "CREDENTIAL", "PEER", "SOFTWARE"}};
};

class GatewaysCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {"",
            "Asks a broker for its gateways: name, whether it is connected, how many nodes it has, site, "
            "wire, by what it "
            "proved itself (current keys, previous keys after aiot keys rotate, or a token by its id), "
            "address and "
            "software. --json prints one a line, as the broker's REST interface describes it.\n\n"
            "The broker is --broker, AIOT_BROKER or the configuration's, else the one at 127.0.0.1:8000.",
            {{"aiot gateways", "all of them"},
             {"aiot --json gateways | jq -r 'select(.credential == \"previous keys\").name'",
              "who still needs a new token before aiot keys retire"}},
            {"aiot-keys(1)", "aiot-tokens(1)", "aiot-nodes(1)"}};
  }

  void configure(CLI::App&) override {}

  int run(Context& context) override {
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    return GatewayList(context, std::move(*api)).run();
  }
};

}  // namespace

std::unique_ptr<Command> make_gateways_command() { return std::make_unique<GatewaysCommand>(); }

}  // namespace aiot::cli
