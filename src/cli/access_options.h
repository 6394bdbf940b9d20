#pragma once

#include <optional>
#include <string>

#include "core/base/address.h"
#include "core/base/result.h"
#include "daemon/broker/access_options.h"

namespace CLI {
class App;
}

namespace aiot::cli {

/// DIR given, else $STATE_DIRECTORY, else $XDG_STATE_HOME/aiot; nothing is made. Errc::usage when there is
/// none.
[[nodiscard]] Result<std::string> find_state_dir(const std::string& given);

/// Which users file: --users-file, or `users` in the state directory.
class UsersFileOptions {
 public:
  void add(CLI::App& app);            ///< --users-file
  void add_state_dir(CLI::App& app);  ///< --state-dir, for the commands that change the file
  /// Errc::usage when no directory is known. Empty for --state-dir off without --users-file.
  [[nodiscard]] Result<std::string> path(const std::string& state_dir) const;
  [[nodiscard]] Result<std::string> path() const { return path(state_dir_); }

 private:
  std::string file_, state_dir_;
};

/// serve-broker's options on who may use it.
class AccessFlags {
 public:
  void add(CLI::App& app);
  [[nodiscard]] bool insecure() const { return insecure_; }
  /// Errc::usage when no directory is known for the users file.
  [[nodiscard]] Result<broker::AccessOptions> options(const std::string& state_dir) const;

 private:
  UsersFileOptions users_file_;
  std::string anonymous_;
  bool insecure_ = false, no_shared_token_ = false;
  std::optional<SocketAddress> legacy_listen_;
};

}  // namespace aiot::cli
