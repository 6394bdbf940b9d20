#include "cli/defaults.h"

#include <fmt/format.h>

#include <algorithm>

#include "cli/command_table.h"
#include "cli/option_values.h"
#include "core/base/text.h"
#include "core/ws/ws_client.h"

namespace aiot::cli {

namespace {

constexpr std::string_view kBrokerTable = "brokers.";
constexpr std::string_view kBrokerKeys[] = {"url", "token-file", "ca", "cert", "key"};
constexpr std::string_view kTokenPrefix = "aiot_";  // of aiot tokens create
constexpr const char* kHidden = "(hidden)";

bool is_broker_key(const std::string& key) {
  return std::find(std::begin(kBrokerKeys), std::end(kBrokerKeys), key) != std::end(kBrokerKeys);
}

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
    if (option.positional || option.shape.long_names.empty()) continue;
    const std::string& name = option.shape.long_names.front();
    if (may_be_configured(name)) {
      names.emplace_back(name);
    } else if (name == entry.key) {
      return make_error(Errc::usage, fmt::format("{}: '{}' is an option that cannot be configured",
                                                 entry.origin, entry.key));
    }
  }
  if (entry.table.empty()) {
    for (const CommandRow& row : command_table()) {
      if (find_option(command_options(row), entry.key) != nullptr) {
        return make_error(Errc::usage,
                          fmt::format("{}: '{}' is no global option; it stands in a table, as [{}]",
                                      entry.origin, entry.key, row.name));
      }
    }
  }
  return make_error(Errc::usage,
                    fmt::format("{}: unknown key '{}'{}{}", entry.origin, text::escape_controls(entry.key),
                                entry.table.empty() ? "" : fmt::format(" in [{}]", entry.table),
                                did_you_mean(entry.key, names)));
}

/// Of a [brokers.NAME], or a `broker` somewhere.
Result<void> check_url(const ConfigEntry& entry, const std::string& url) {
  auto endpoint = ws::parse_endpoint(url);
  if (endpoint) return {};
  return make_error(Errc::usage,
                    fmt::format("{}: {}: {}", entry.origin, entry.key, endpoint.error().message));
}

/// A URL, the name of a [brokers.NAME], or for a gateway "off".
Result<void> check_broker(const ConfigEntry& entry, const Config& config) {
  const std::string& value = entry.values.front();
  if (value == "off" && entry.table == "serve-gateway") return {};
  if (value.find("://") != std::string::npos) return check_url(entry, value);
  if (config.broker(value)) return {};
  return make_error(
      Errc::usage,
      fmt::format("{}: broker: '{}' is neither a URL nor a broker of the configuration{}", entry.origin,
                  text::escape_controls(value), did_you_mean(value, config.broker_names())));
}

Result<void> check_values_of(const ConfigEntry& entry, const CommandRow* row, const Config& config) {
  auto checked = check_values(entry, row);
  return checked && entry.key == "broker" ? check_broker(entry, config) : checked;
}

Result<void> check_entry(const ConfigEntry& entry, const Config& config) {
  if (entry.table.starts_with(kBrokerTable)) {
    if (entry.key == "url" && entry.values.size() == 1) return check_url(entry, entry.values.front());
    if (config.find(entry.table, "url") == nullptr)
      return make_error(Errc::usage,
                        fmt::format("{}: [{}] has no url", entry.origin, text::escape_controls(entry.table)));
    if (!is_broker_key(entry.key)) {
      return make_error(
          Errc::usage,
          fmt::format("{}: unknown key '{}' in [{}]; a broker has url, token-file, ca, cert and key",
                      entry.origin, text::escape_controls(entry.key), text::escape_controls(entry.table)));
    }
    if (entry.values.size() == 1) return {};
    return make_error(Errc::usage, fmt::format("{}: '{}' takes one value", entry.origin, entry.key));
  }
  if (entry.table.empty()) {
    const auto options = global_options();
    return find_option(options, entry.key) != nullptr ? check_values_of(entry, nullptr, config)
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
  return find_option(options, entry.key) != nullptr ? check_values_of(entry, row, config)
                                                    : unknown_key(entry, options);
}

/// Some command has that option.
bool is_known(const ConfigEntry& entry) {
  if (entry.table.starts_with(kBrokerTable)) return is_broker_key(entry.key);
  const CommandRow* row = find_command(entry.table);
  if (!entry.table.empty() && row == nullptr) return false;
  return find_option(row == nullptr ? global_options() : command_options(*row), entry.key) != nullptr;
}

/// Without what is before the @ of a URL's authority.
std::string without_userinfo(const std::string& value) {
  const std::size_t scheme = value.find("://");
  if (scheme == std::string::npos) return value;
  const std::size_t begin = scheme + 3, at = value.substr(0, value.find_first_of("/?#", begin)).rfind('@');
  return at == std::string::npos || at < begin ? value : value.substr(0, begin) + kHidden + value.substr(at);
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

std::vector<std::string> shown_values(const ConfigEntry& entry) {
  if (!is_known(entry)) return {kHidden};
  std::vector<std::string> out;
  for (const std::string& value : entry.values)
    out.push_back(value.starts_with(kTokenPrefix) ? std::string(kHidden) : without_userinfo(value));
  return out;
}

std::vector<Error> check_config(const Config& config) {
  std::vector<Error> out;
  for (const ConfigEntry& entry : config.entries()) {
    if (auto checked = check_entry(entry, config); !checked) out.push_back(std::move(checked).error());
  }
  return out;
}

}  // namespace aiot::cli
