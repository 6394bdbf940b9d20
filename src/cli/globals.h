#pragma once

#include <set>
#include <string>

#include "cli/settings.h"
#include "core/base/result.h"

namespace CLI {
class App;
}

namespace aiot::cli {

/// The CLI11 group that global options are in.
inline constexpr const char* kGlobalGroup = "Global options";

/// The options that every command has.
class GlobalOptions {
 public:
  /// Adds them to a fresh app, in place of CLI11's own help flag.
  void configure(CLI::App& app);
  /// What was given, once the app is parsed. `has_csv`: the command prints CSV; asking for it by flag
  /// elsewhere is Errc::usage, by environment or configuration it falls back to text.
  [[nodiscard]] Result<Settings> settings(bool has_csv, std::set<std::string> flags) const;

 private:
  Settings settings_;
  std::string output_ = "text";
  bool ignored_ = false;  ///< --json, --help and --version are handled before CLI11 sees them
};

}  // namespace aiot::cli
