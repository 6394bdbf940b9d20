#include "cli/access_options.h"

#include <cstdlib>
#include <utility>

#include "cli/options.h"

namespace aiot::cli {

namespace {

constexpr std::uint16_t kLegacyPort = 8082;

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

void AccessFlags::add(CLI::App& app) {
  users_file_.add(app);
  add_choice(
      app, "--anonymous", anonymous_,
      "what those may who do not log in and send no token (default none, once there is a user or token)",
      {"none", "viewer", "operator"});
  add_flag(app, "--insecure", insecure_,
           "listen beyond loopback although nobody has to prove himself: everyone may do everything");
  add_flag(app, "--no-shared-token", no_shared_token_,
           "refuse the one token that all of pyaiot's gateways share; gateways need tokens of their own");
  add_address(
      app, "--legacy-listen", legacy_listen_,
      "serve pyaiot's gateways and pages, which speak no TLS, here: its /gw and /ws alone (default nowhere)",
      kLegacyPort, true);
}

Result<broker::AccessOptions> AccessFlags::options(const std::string& state_dir) const {
  broker::AccessOptions out;
  auto users = users_file_.path(state_dir);
  if (!users) return users.error();
  out.file = std::move(*users);
  out.anonymous = parse_role(anonymous_);
  out.insecure = insecure_;
  out.shared_token = !no_shared_token_;
  out.legacy_listen = legacy_listen_;
  return out;
}

}  // namespace aiot::cli
