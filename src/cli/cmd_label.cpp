#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/broker_api.h"
#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/runner.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

using nlohmann::ordered_json;

/// The labels that the arguments set, null for those that they take away.
Result<ordered_json> parse_labels(const std::vector<std::string>& arguments) {
  ordered_json out = ordered_json::object();
  for (const std::string& argument : arguments) {
    const std::size_t equals = argument.find('=');
    const bool sets = equals != std::string::npos && equals > 0 && equals + 1 < argument.size();
    const bool removes = equals == std::string::npos && argument.size() > 1 && argument.back() == '-';
    if (!sets && !removes) {
      return make_error(Errc::usage, fmt::format("'{}' is neither KEY=VALUE nor KEY-, which removes KEY",
                                                 text::escape_controls(argument)));
    }
    const std::string name = argument.substr(0, sets ? equals : argument.size() - 1);
    if (out.contains(name)) {
      return make_error(Errc::usage, fmt::format("'{}' is given twice", text::escape_controls(name)));
    }
    out[name] = sets ? ordered_json(argument.substr(equals + 1)) : ordered_json();
  }
  return out;
}

class LabelCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "UID [KEY=VALUE|KEY-]...",
        "Gives a node at a broker labels, or takes them away (KEY-); all of one command or none. Without "
        "any it prints those that the node has. A key is up to 63 letters, digits and any of _-./, a value "
        "up to 255 bytes, and a node has up to 64. With --json the node is printed as it is then.",
        {{"aiot label n1 room=kitchen floor=2", "two labels"},
         {"aiot label n1 floor-", "one less"},
         {"aiot label n1", "what it has"},
         {"aiot nodes --label room=kitchen", "the nodes with a label"}},
        {"aiot-nodes(1)", "aiot-forget(1)"}};
  }

  void configure(CLI::App& app) override {
    add_argument(app, "UID", uid_, "the node", true);
    add_arguments(app, "LABEL", labels_, "KEY=VALUE to set, KEY- to remove", false);
  }

  int run(Context& context) override {
    auto labels = parse_labels(labels_);
    if (!labels) return context.fail(labels.error());
    auto api = BrokerApi::of(context);
    if (!api) return context.fail(api.error());
    Runner runner(context);
    const std::string path = api_path("nodes/" + percent_encode(uid_));
    const auto done = [&](const Result<ordered_json>& node) {
      if (!node) return runner.finish(context.fail(node.error(), api->uri_of(uid_)));
      print(context, *node);
      runner.finish(kDone);
    };
    const Operation operation =
        labels->empty()
            ? api->get(path, done)
            : api->ask("PATCH", path, json_line(ordered_json::object({{"labels", *labels}})), done);
    return runner.run();
  }

 private:
  void print(Context& context, const ordered_json& node) const {
    if (context.json()) return context.output().line(json_line(node));
    const auto labels = node.find("labels");
    if (!labels_.empty() || labels == node.end() || !labels->is_object()) return;
    for (const auto& [name, value] : labels->items()) {
      const std::string line = name + "=" + member(*labels, name);
      context.output().line(context.output().is_terminal() ? text::escape_controls(line) : line);
    }
  }

  std::string uid_;
  std::vector<std::string> labels_;
};

}  // namespace

std::unique_ptr<Command> make_label_command() { return std::make_unique<LabelCommand>(); }

}  // namespace aiot::cli
