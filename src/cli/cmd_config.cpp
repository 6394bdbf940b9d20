#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "cli/command.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/defaults.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/present.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

class ConfigCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "show|check",
        "show prints what the configuration files set, each key with the file and line it comes from; where "
        "two files set a key, the first one wins. What may be a secret in the wrong place is shown as "
        "(hidden): the value of a key that aiot does not know, a token, the user and password of a URL. "
        "check "
        "reports every key and table that aiot does not know and every value that an option does not take, "
        "and exits 2 when there is one.\n\n"
        "The files are $XDG_CONFIG_HOME/aiot/aiot.toml and /etc/aiot/aiot.toml, or the one of --config.",
        {{"aiot config show", "what is set, and where"},
         {"aiot config check --config aiot.toml", "before installing it"}},
        {"aiot.toml(5)"}};
  }

  void configure(CLI::App& app) override {
    add_choice(app, "ACTION", action_, "what to do: show or check", {"show", "check"}).required();
  }

  int run(Context& context) override { return action_ == "show" ? show(context) : check(context); }

 private:
  static int show(Context& context) {
    const Config& config = context.config();
    for (const ConfigEntry& entry : config.entries()) {
      const bool wins = config.find(entry.table, entry.key) == &entry;
      const std::vector<std::string> values = shown_values(entry);
      const std::string name = entry.table.empty() ? entry.key : entry.table + "." + entry.key;
      if (context.json()) {
        nlohmann::ordered_json object;
        object["key"] = name;
        object["value"] =
            values.size() == 1 ? nlohmann::ordered_json(values[0]) : nlohmann::ordered_json(values);
        object["origin"] = entry.origin;
        if (!wins) object["overridden"] = true;
        context.output().line(json_line(object));
        continue;
      }
      context.output().line(text::escape_controls(fmt::format(
          "{} = {}  # {}{}", name, fmt::join(values, ", "), entry.origin, wins ? "" : ", overridden")));
    }
    if (config.files().empty()) context.note("there is no configuration file");
    return kDone;
  }

  static int check(Context& context) {
    int status = kDone;
    for (const Error& error : check_config(context.config())) status = context.fail(error);
    if (status == kDone) {
      context.note(fmt::format("{} entries in {} file(s), all of them good",
                               context.config().entries().size(), context.config().files().size()));
    }
    return status;
  }

  std::string action_;
};

}  // namespace

std::unique_ptr<Command> make_config_command() { return std::make_unique<ConfigCommand>(); }

}  // namespace aiot::cli
