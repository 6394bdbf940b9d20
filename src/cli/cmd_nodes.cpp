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
        "last heard and its resources. --json prints one node a line, as the broker's REST interface "
        "describes "
        "it; CSV one resource a line.\n\n"
        "The broker is --broker, AIOT_BROKER or the configuration's, else the one at 127.0.0.1:8000.",
        {{"aiot nodes", "all of them"},
         {"aiot nodes --state live --protocol CoAP -q kitchen", "some of them"},
         {"aiot --json nodes --broker paris | jq .uid", "at a broker that the configuration names"}},
        {"aiot-get(1)", "aiot-discover(1)", "aiot-json(7)"}};
  }

  void configure(CLI::App& app) override {
    add_choice(app, "--state", filter_.state, "only nodes in this state", {"live", "stale", "out"});
    add_text(app, "--protocol", filter_.protocol,
             "only nodes that speak this: CoAP, MQTT, MQTT-SN, WebSocket", "NAME");
    add_text(app, "--gateway", filter_.gateway, "only nodes of this gateway", "NAME");
    add_texts(app, "--label", filter_.labels, "only nodes with this label", "KEY=VALUE");
    add_text(app, "-q,--query", filter_.query, "only nodes whose uid, name or labels contain this", "TEXT");
    add_number(app, "--limit", filter_.limit, "at most N nodes (default all)", 1, 100'000'000);
  }

  [[nodiscard]] bool has_csv() const override { return true; }

  int run(Context& context) override {
    for (const std::string& label : filter_.labels) {
      if (label.find('=') != std::string::npos && label.front() != '=') continue;
      return context.fail(make_error(
          Errc::usage, fmt::format("--label: '{}' is not KEY=VALUE", text::escape_controls(label))));
    }
    auto url = context.broker_url();
    if (!url) return context.fail(url.error());
    if (url->empty()) url = std::string("ws://127.0.0.1:8000");
    auto endpoint = ws::parse_endpoint(*url);
    if (!endpoint) return context.fail(endpoint.error());
    auto token = context.broker_token();
    if (!token) return context.fail(token.error());
    return NodeList(context, *endpoint, *token, filter_).run();
  }

 private:
  NodeFilter filter_;
};

}  // namespace

std::unique_ptr<Command> make_nodes_command() { return std::make_unique<NodesCommand>(); }

}  // namespace aiot::cli
