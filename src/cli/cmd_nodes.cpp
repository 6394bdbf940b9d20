#include <fmt/format.h>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/node_list.h"
#include "cli/options.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

class NodesCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "",
        "Asks a broker for its nodes: uid, state (live, stale, out), protocol, gateway, address, when it was "
        "first and last heard, the usual interval between two of its messages, how often it "
        "restarted, did not answer and refused a write, its labels and its resources. --json prints one node "
        "a line, as the "
        "broker's REST interface describes it; CSV one resource a line.\n\n"
        "Nodes come in the order of their uids unless --sort names another.\n\n"
        "The broker is --broker, AIOT_BROKER or the configuration's, else the one at 127.0.0.1:8000.",
        {{"aiot nodes", "all of them"},
         {"aiot nodes --state live --protocol CoAP -q kitchen", "some of them"},
         {"aiot nodes --sort -timeouts --limit 10", "the ten that left most requests unanswered"},
         {"aiot nodes --label room=kitchen --sort last-seen", "by label, the longest unheard first"},
         {"aiot --json nodes --broker paris | jq .uid", "at a broker that the configuration names"}},
        {"aiot-label(1)", "aiot-forget(1)", "aiot-history(1)", "aiot-get(1)", "aiot-json(7)"}};
  }

  void configure(CLI::App& app) override {
    add_choice(app, "--state", filter_.state, "only nodes in this state", {"live", "stale", "out"});
    add_text(app, "--protocol", filter_.protocol,
             "only nodes that speak this: CoAP, MQTT, MQTT-SN, WebSocket", "NAME");
    add_text(app, "--gateway", filter_.gateway, "only nodes of this gateway", "NAME");
    add_texts(app, "--label", filter_.labels, "only nodes with this label; of several, with all",
              "KEY=VALUE");
    add_text(app, "-q,--query", filter_.query, "only nodes whose uid, address, name or board contains this",
             "TEXT");
    std::vector<std::string> orders;
    for (const std::string order : kNodeOrders) orders.push_back(order);
    for (const std::string order : kNodeOrders) orders.push_back("-" + order);
    add_choice(app, "--sort", order_, "in this order; with - before it the greatest first", orders);
    add_number(app, "--limit", filter_.limit, "at most N nodes (default all)", 1, 100'000'000);
  }

  [[nodiscard]] bool has_csv() const override { return true; }

  int run(Context& context) override {
    for (const std::string& label : filter_.labels) {
      if (label.find('=') != std::string::npos && label.front() != '=') continue;
      return context.fail(make_error(
          Errc::usage, fmt::format("--label: '{}' is not KEY=VALUE", text::escape_controls(label))));
    }
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    return NodeList(context, std::move(*api), filter_, order_).run();
  }

 private:
  NodeFilter filter_;
  std::string order_;
};

}  // namespace

std::unique_ptr<Command> make_nodes_command() { return std::make_unique<NodesCommand>(); }

}  // namespace aiot::cli
