#include "cli/option_values.h"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <memory>

#include "cli/command_table.h"
#include "cli/globals.h"

namespace aiot::cli {

namespace {

/// CLI11's sentence without the option that it begins with.
std::string reason_of(const CLI::ParseError& error) {
  const std::string message = error.what();
  const std::size_t colon = message.find(": ");
  return message.starts_with("--") && colon != std::string::npos ? message.substr(colon + 2) : message;
}

}  // namespace

Result<void> check_values(const ConfigEntry& entry, const CommandRow* row) {
  GlobalOptions globals;
  CLI::App app;
  globals.configure(app);
  const std::unique_ptr<Command> command = row != nullptr ? row->make() : nullptr;
  if (command) command->configure(app);
  const std::string name = "--" + entry.key;
  const CLI::Option* option = app.get_option_no_throw(name);
  if (option == nullptr) return {};
  if (option->get_items_expected_max() == 0) {  // a flag
    if (entry.values.size() == 1 && (entry.values[0] == "true" || entry.values[0] == "false")) return {};
    return make_error(Errc::usage, fmt::format("{}: '{}' must be true or false", entry.origin, entry.key));
  }
  if (entry.values.size() != 1 && option->get_items_expected_max() <= 1) {
    return make_error(Errc::usage, fmt::format("{}: '{}' takes one value", entry.origin, entry.key));
  }
  // This one option alone counts here.
  for (CLI::Option* other : app.get_options()) other->required(false)->envname("");
  std::vector<std::string> arguments;
  for (const std::string& value : entry.values) arguments.insert(arguments.end(), {name, value});
  std::reverse(arguments.begin(), arguments.end());
  try {
    app.parse(std::move(arguments));
  } catch (const CLI::ParseError& error) {
    return make_error(Errc::usage, fmt::format("{}: {}: {}", entry.origin, entry.key, reason_of(error)));
  }
  return {};
}

}  // namespace aiot::cli
