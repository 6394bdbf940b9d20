#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/access_options.h"
#include "cli/limit_options.h"
#include "core/base/address.h"
#include "core/base/result.h"
#include "daemon/broker/broker.h"

namespace CLI {
class App;
}

namespace aiot::cli {

class Context;

/// Errc::usage for what is neither a network nor an address.
[[nodiscard]] Result<void> check_network(const std::string& cidr);

/// What both daemons take, and what a broker takes (serve-broker, serve-gateway --standalone).
class DaemonOptions {
 public:
  void add_common(CLI::App& app);  ///< --key-file, --state-dir, --log-format
  void add_broker(CLI::App& app);  ///< --listen, --allow-origin, --retention, --title and so on

  /// Log format and level of a daemon: it says what it does unless --quiet.
  void set_up_log(Context& context) const;
  /// --state-dir, $STATE_DIRECTORY, $XDG_STATE_HOME/aiot; made when missing; empty for "off". Errc::internal
  /// when it cannot be.
  [[nodiscard]] Result<std::string> state_dir() const;
  /// --key-file, systemd's credential "keys", or the usual one.
  [[nodiscard]] std::string key_file() const;
  [[nodiscard]] bool insecure() const { return access_.insecure(); }
  [[nodiscard]] bool key_file_given() const { return !key_file_.empty(); }
  [[nodiscard]] Result<broker::Options> broker_options() const;
  /// What the ready line calls the broker's port: "https" or "http".
  [[nodiscard]] const char* broker_scheme() const { return tls_cert_.empty() ? "http" : "https"; }

 private:
  [[nodiscard]] Result<broker::SiteOptions> site_options() const;

  AccessFlags access_;
  std::string key_file_, state_dir_, log_format_ = "text";
  std::optional<SocketAddress> listen_;
  std::vector<std::string> allow_origins_;
  Duration retention_ = std::chrono::hours(24 * 30);
  std::uint64_t retention_bytes_ = 0;
  Duration forget_out_{};
  std::string tls_cert_, tls_key_;
  std::vector<std::string> trusted_proxies_;
  Duration hsts_ = std::chrono::hours(24 * 365);
  broker::SiteOptions site_;
  std::string logo_, favicon_;
  LimitOptions limits_;
};

}  // namespace aiot::cli
