#include "cli/option_model.h"

#include <CLI/CLI.hpp>

#include "cli/command.h"
#include "cli/globals.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

/// "text|json|csv" taken apart; add_choice() marks such a placeholder with a leading '='.
std::vector<std::string> take_choices(std::string& placeholder) {
  std::vector<std::string> out;
  if (placeholder.empty() || placeholder.front() != '=') return out;
  placeholder.erase(0, 1);
  for (const std::string_view word : text::split(placeholder, '|')) out.emplace_back(word);
  return out;
}

}  // namespace

std::vector<OptionInfo> option_model(const CLI::App& app) {
  std::vector<OptionInfo> out;
  for (const CLI::Option* option : app.get_options()) {
    OptionInfo info;
    info.positional = option->get_positional();
    if (!info.positional) {
      for (const std::string& name : option->get_lnames()) info.shape.long_names.push_back(name);
      for (const std::string& name : option->get_snames()) info.shape.short_names += name;
    }
    info.shape.takes_value = option->get_items_expected_max() > 0;
    if (info.positional) {
      std::string type = option->get_type_name();
      info.choices = take_choices(type);
      info.placeholder = option->get_name(true);
    } else if (info.shape.takes_value) {
      info.placeholder = option->get_type_name();
      info.choices = take_choices(info.placeholder);
    }
    info.help = option->get_description();
    info.environment = option->get_envname();
    info.global = option->get_group() == kGlobalGroup;
    info.required = option->get_required();
    info.repeats = option->get_items_expected_max() > 1;
    out.push_back(std::move(info));
  }
  return out;
}

std::vector<OptionInfo> global_options() {
  CLI::App app;
  GlobalOptions globals;
  globals.configure(app);
  return option_model(app);
}

std::vector<OptionInfo> command_options(const CommandRow& row) {
  CLI::App app;
  GlobalOptions globals;
  const std::unique_ptr<Command> command = row.make();
  globals.configure(app);
  command->configure(app);
  return option_model(app);
}

std::vector<OptionShape> shapes_of(const std::vector<OptionInfo>& options) {
  std::vector<OptionShape> out;
  for (const OptionInfo& option : options) {
    if (!option.positional) out.push_back(option.shape);
  }
  return out;
}

}  // namespace aiot::cli
