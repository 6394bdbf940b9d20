#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "cli/settings.h"
#include "core/base/result.h"

namespace aiot {
class Client;
class EventLoop;
}  // namespace aiot

namespace aiot::cli {

class Config;
class Output;

/// What a running command has at hand. Nothing in it is made before it is asked for, so that a command
/// pays only for what it uses.
class Context {
 public:
  Context(Settings settings, std::unique_ptr<Config> config);
  ~Context();
  Context(const Context&) = delete;
  Context& operator=(const Context&) = delete;

  [[nodiscard]] const Settings& settings() const { return settings_; }
  /// `--json` or its equals.
  [[nodiscard]] bool json() const { return settings_.output == OutputFormat::json; }
  [[nodiscard]] const Config& config() const { return *config_; }

  /// Standard output.
  Output& output();
  /// The process's loop.
  EventLoop& loop();
  /// The client for `scheme` (and, at a broker, its path prefix), made at the first call. Errc::usage for a
  /// scheme without one.
  Result<Client*> client(const std::string& scheme, const std::string& prefix = {});

  /// For the mqtt and mqtts clients that are made after this.
  void use_mqtt(MqttSettings settings) { mqtt_ = std::move(settings); }

  /// For the coaps and coaps+tcp clients that are made after this.
  void use_psk(PskSettings settings) { psk_ = std::move(settings); }

  /// Reports and notes are JSON from now on, whatever the results are: a daemon's --log-format json.
  void use_json_on_stderr() { json_on_stderr_ = true; }
  /// Reports `error` on stderr, as one sentence or one JSON object, and returns its exit status.
  int fail(const Error& error, std::string_view uri = {});
  /// Says something that is not a result on stderr; not with --quiet.
  void note(std::string_view sentence);

  /// The URL of --broker, AIOT_BROKER or the configuration, a name of `[brokers.NAME]` replaced by its
  /// URL; empty when none was given. Errc::usage for a name that is not there.
  Result<std::string> broker_url();
  /// That broker, for a command that was given none.
  void use_broker(std::string broker) { settings_.broker = std::move(broker); }
  /// The token for that broker: --token-file, AIOT_TOKEN, the configuration's token-file, systemd's
  /// credential "token"; empty for none.
  /// Errc::internal when the file cannot be read.
  Result<std::string> broker_token();

  /// What that broker is checked by on TLS, and what it is shown: --ca, --cert and --key, else those of its
  /// table in the configuration.
  [[nodiscard]] tls::ClientFiles broker_tls() const;

  /// Destroys clients and loop, in that order. What the loop still holds is closed.
  void close();

  /// The signal that ended the command, 0 for none: main ends the process by it.
  [[nodiscard]] int signal() const { return signal_; }
  void set_signal(int signal) { signal_ = signal; }

 private:
  Settings settings_;
  std::unique_ptr<Config> config_;
  std::unique_ptr<Output> output_;
  std::unique_ptr<EventLoop> loop_;
  std::map<std::string, std::shared_ptr<Client>> clients_;
  MqttSettings mqtt_;
  PskSettings psk_;
  int signal_ = 0;
  bool json_on_stderr_ = false;
};

}  // namespace aiot::cli
