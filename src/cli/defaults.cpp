#include "cli/defaults.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command_table.h"
#include "cli/option_values.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

/// These are about one invocation.
bool may_be_configured(const std::string& long_name) {
  return long_name != "help" && long_name != "version" && long_name != "config" && long_name != "json";
}

Result<void> add_entry(const ConfigEntry& entry, const OptionInfo& option, const std::string& name,
                       Defaults& out) {
  if (!option.shape.takes_value) {
    if (entry.values.size() != 1 || (entry.values[0] != "true" && entry.values[0] != "false")) {
      return make_error(Errc::usage, fmt::format("{}: '{}' must be true or false", entry.origin, entry.key));
    }
    if (entry.values[0] == "true") out.options.push_back({name, std::nullopt});
    return {};
  }
  if (entry.values.size() != 1 && !option.repeats) {
    return make_error(Errc::usage, fmt::format("{}: '{}' takes one value", entry.origin, entry.key));
  }
  for (const std::string& value : entry.values) out.options.push_back({name, value});
  out.origins[name] = entry.origin;
  return {};
}

const OptionInfo* find_option(const std::vector<OptionInfo>& options, const std::string& key) {
  for (const OptionInfo& option : options) {
    if (option.positional || option.shape.long_names.empty()) continue;
    if (option.shape.long_names.front() == key && may_be_configured(key)) return &option;
  }
  return nullptr;
}

Error unknown_key(const ConfigEntry& entry, const std::vector<OptionInfo>& options) {
  std::vector<std::string_view> names;
  for (const OptionInfo& option : options) {
    if (!option.positional && !option.shape.long_names.empty())
      names.emplace_back(option.shape.long_names.front());
  }
  return make_error(Errc::usage,
                    fmt::format("{}: unknown key '{}'{}{}", entry.origin, text::escape_controls(entry.key),
                                entry.table.empty() ? "" : fmt::format(" in [{}]", entry.table),
                                did_you_mean(entry.key, names)));
}

Result<void> check_entry(const ConfigEntry& entry) {
  if (entry.table.rfind("brokers.", 0) == 0) {
    for (const std::string_view known : {"url", "token-file", "ca", "cert", "key"}) {
      if (entry.key == known) return {};
    }
    return make_error(
        Errc::usage,
        fmt::format("{}: unknown key '{}' in [{}]; a broker has url, token-file, ca, cert and key",
                    entry.origin, text::escape_controls(entry.key), text::escape_controls(entry.table)));
  }
  if (entry.table.empty()) {
    const auto options = global_options();
    return find_option(options, entry.key) != nullptr ? check_values(entry, nullptr)
                                                      : unknown_key(entry, options);
  }
  const CommandRow* row = find_command(entry.table);
  if (row == nullptr) {
    std::vector<std::string_view> names;
    for (const CommandRow& candidate : command_table()) names.push_back(candidate.name);
    return make_error(
        Errc::usage, fmt::format("{}: unknown table [{}]{}", entry.origin, text::escape_controls(entry.table),
                                 did_you_mean(entry.table, names)));
  }
  const auto options = command_options(*row);
  return find_option(options, entry.key) != nullptr ? check_values(entry, row) : unknown_key(entry, options);
}

}  // namespace

Result<Defaults> resolve_defaults(const std::vector<OptionInfo>& options,
                                  const std::vector<SplitOption>& given, std::string_view command,
                                  const Config& config, const char* (*environment)(const char*)) {
  Defaults out;
  // A misspelt key is found at the first command that would have read it.
  for (const ConfigEntry& entry : config.entries()) {
    if (entry.table != command && !entry.table.empty()) continue;
    const OptionInfo* option = find_option(options, entry.key);
    if (option == nullptr || (entry.table.empty() && !option->global)) return unknown_key(entry, options);
  }
  for (const OptionInfo& option : options) {
    if (option.positional || option.shape.long_names.empty()) continue;
    const std::string& long_name = option.shape.long_names.front();
    if (!may_be_configured(long_name)) continue;
    const std::string name = "--" + long_name;
    if (std::any_of(given.begin(), given.end(), [&](const SplitOption& one) { return one.name == name; }))
      continue;
    if (!option.environment.empty()) {
      const char* value = environment(option.environment.c_str());
      if (value != nullptr && value[0] != '\0') {
        out.options.push_back({name, std::string(value)});
        out.origins[name] = option.environment;
        continue;
      }
    }
    const ConfigEntry* entry = config.find(command, long_name);
    if (entry == nullptr && option.global) entry = config.find("", long_name);
    if (entry == nullptr) continue;
    if (auto added = add_entry(*entry, option, name, out); !added) return added.error();
  }
  return out;
}

std::vector<Error> check_config(const Config& config) {
  std::vector<Error> out;
  for (const ConfigEntry& entry : config.entries()) {
    if (auto checked = check_entry(entry); !checked) out.push_back(std::move(checked).error());
  }
  return out;
}

}  // namespace aiot::cli
