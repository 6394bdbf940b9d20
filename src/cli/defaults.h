#pragma once

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "cli/arguments.h"
#include "cli/config.h"
#include "cli/option_model.h"

namespace aiot::cli {

/// Options that environment and configuration add to those given, and where each comes from.
struct Defaults {
  std::vector<SplitOption> options;
  std::map<std::string, std::string, std::less<>> origins;  ///< "--timeout" -> "AIOT_TIMEOUT"
};

/// Precedence (aiot(1)): a flag, then the environment, then the configuration's `[COMMAND]` table, then (for
/// global options) its top. `environment` is std::getenv or a test's. Errc::usage for a key that the command
/// has not, or a value of the wrong kind.
[[nodiscard]] Result<Defaults> resolve_defaults(const std::vector<OptionInfo>& options,
                                                const std::vector<SplitOption>& given,
                                                std::string_view command, const Config& config,
                                                const char* (*environment)(const char*));

/// The values of an entry, without what may be a secret in the wrong place: a token, user and password in a
/// URL, anything under a key that aiot does not know.
[[nodiscard]] std::vector<std::string> shown_values(const ConfigEntry& entry);

/// Errc::usage for each key or table that aiot does not know, and each value that an option does not take;
/// every command's options are looked at.
[[nodiscard]] std::vector<Error> check_config(const Config& config);

}  // namespace aiot::cli
