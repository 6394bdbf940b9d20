#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/tls/client_files.h"

/// The configuration files of aiot.toml(5).
namespace aiot::cli {

/// One key of a configuration file. Lists have several values; `true` and `false` are text.
struct ConfigEntry {
  std::string table;  ///< "" for the top, "serve-gateway", "brokers.paris"
  std::string key;
  std::vector<std::string> values;
  std::string origin;  ///< "/etc/aiot/aiot.toml:12"
  unsigned line = 0;
};

inline constexpr std::size_t kMaxConfigBytes = 1024 * 1024;

/// Reads TOML text; the entries come in its order. Errc::usage names file, line and what was wrong there.
[[nodiscard]] Result<std::vector<ConfigEntry>> parse_config(std::string_view text, const std::string& file);

/// A broker of the configuration, `[brokers.NAME]`.
struct NamedBroker {
  std::string url;
  std::string token_file;
  tls::ClientFiles tls;
};

/// The entries of all files that were found; what stands in an earlier file wins.
class Config {
 public:
  Config() = default;
  /// `explicit_file` alone when it is not empty (it must exist), else $XDG_CONFIG_HOME/aiot/aiot.toml and
  /// /etc/aiot/aiot.toml as far as they exist.
  static Result<std::unique_ptr<Config>> load(const std::string& explicit_file);
  /// From entries, for tests.
  static std::unique_ptr<Config> of(std::vector<ConfigEntry> entries);

  /// Null when no file has it.
  [[nodiscard]] const ConfigEntry* find(std::string_view table, std::string_view key) const;
  [[nodiscard]] std::optional<NamedBroker> broker(std::string_view name) const;
  [[nodiscard]] std::vector<std::string_view> broker_names() const;
  [[nodiscard]] const std::vector<ConfigEntry>& entries() const { return entries_; }
  [[nodiscard]] const std::vector<std::string>& files() const { return files_; }

 private:
  std::vector<ConfigEntry> entries_;
  std::vector<std::string> files_;
};

/// Where the user's configuration is: `$XDG_CONFIG_HOME/aiot/aiot.toml`; empty without a home.
[[nodiscard]] std::string user_config_file();

}  // namespace aiot::cli
