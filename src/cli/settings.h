#pragma once

#include <chrono>
#include <cstdint>
#include <set>
#include <string>

#include "core/base/time.h"
#include "core/tls/client_files.h"

namespace aiot::cli {

enum class OutputFormat : std::uint8_t { text, json, csv };

/// How to reach an MQTT broker, as the options say it.
struct MqttSettings {
  std::string user, password_file;
  std::string client_id;
  std::string version;  ///< "3.1.1", "5", or empty for whatever the broker speaks
};

/// How to secure CoAP with a key, as the options say it.
struct PskSettings {
  std::string file, identity;
};

/// The global options, resolved: flag, AIOT_* environment, configuration files, default.
struct Settings {
  OutputFormat output = OutputFormat::text;
  Duration timeout = std::chrono::seconds(10);  ///< for each target
  std::string broker;                           ///< URL or a name of the configuration; empty for none
  std::string config_file;                      ///< --config; empty: the usual places
  std::string token_file;                       ///< bearer token for a broker
  tls::ClientFiles tls;                         ///< --ca, --cert and --key
  int verbose = 0;
  bool quiet = false;
  /// The options that stand on the command line ("--output"): what environment and configuration set is a
  /// default, which does not have to suit every command and scheme.
  std::set<std::string> flags;

  [[nodiscard]] bool has_flag(const std::string& name) const { return flags.count(name) != 0; }
};

}  // namespace aiot::cli
