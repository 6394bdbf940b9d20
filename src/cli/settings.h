#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "core/base/time.h"

namespace aiot::cli {

enum class OutputFormat : std::uint8_t { text, json, csv };

/// The global options, resolved: flag, AIOT_* environment, configuration files, default.
struct Settings {
  OutputFormat output = OutputFormat::text;
  Duration timeout = std::chrono::seconds(10);  ///< for each target
  std::string broker;                           ///< URL or a name of the configuration; empty for none
  std::string config_file;                      ///< --config; empty: the usual places
  std::string token_file;                       ///< bearer token for a broker
  int verbose = 0;
  bool quiet = false;
  /// The options that stand on the command line ("--output"): what environment and configuration set is a
  /// default, which does not have to suit every command and scheme.
  std::set<std::string> flags;

  [[nodiscard]] bool has_flag(const std::string& name) const { return flags.count(name) != 0; }
};

}  // namespace aiot::cli
