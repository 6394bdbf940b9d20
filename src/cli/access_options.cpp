#include "cli/access_options.h"

#include <cstdlib>

#include "cli/options.h"

namespace aiot::cli {

namespace {

std::string variable(const char* name) {
  const char* value = std::getenv(name);
  return value == nullptr ? std::string() : std::string(value);
}

}  // namespace

Result<std::string> find_state_dir(const std::string& given) {
  if (!given.empty()) return given;
  // systemd gives a list parted by colons.
  const std::string list = variable("STATE_DIRECTORY");
  if (const std::string first = list.substr(0, list.find(':')); !first.empty()) return first;
  const std::string base = variable("XDG_STATE_HOME");
  const std::string home = variable("HOME");
  if (!base.empty() && base[0] == '/') return base + "/aiot";
  if (!home.empty()) return home + "/.local/state/aiot";
  return make_error(Errc::usage, "no directory for state: give --state-dir");
}

void UsersFileOptions::add(CLI::App& app) {
  add_text(app, "--users-file", file_, "users and tokens (default users in the state directory)", "FILE")
      .environment("AIOT_USERS_FILE");
}

void UsersFileOptions::add_state_dir(CLI::App& app) {
  add_text(app, "--state-dir", state_dir_,
           "the broker's state directory (default $STATE_DIRECTORY, else $XDG_STATE_HOME/aiot)", "DIR")
      .environment("AIOT_STATE_DIR");
}

Result<std::string> UsersFileOptions::path(const std::string& state_dir) const {
  if (!file_.empty()) return file_;
  if (state_dir == "off") return std::string();
  auto folder = find_state_dir(state_dir);
  if (!folder) return folder;
  return *folder + "/users";
}

}  // namespace aiot::cli
