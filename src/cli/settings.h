#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/base/time.h"

namespace aiot::cli {

enum class OutputFormat : std::uint8_t { text, json, csv };

/// The global options, resolved: flag, AIOT_* environment, configuration files, default.
struct Settings {
  OutputFormat output = OutputFormat::text;
  /// The format was asked for on the command line, not by environment or configuration.
  bool output_by_flag = false;
  Duration timeout = std::chrono::seconds(10);  ///< for each target
  std::string broker;                           ///< URL or a name of the configuration; empty for none
  bool broker_by_flag = false;                  ///< it was named on the command line
  std::string config_file;                      ///< --config; empty: the usual places
  std::string token_file;                       ///< bearer token for a broker
  int verbose = 0;
  bool quiet = false;
};

}  // namespace aiot::cli
