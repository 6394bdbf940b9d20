#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "cli/settings.h"
#include "core/client.h"

namespace aiot::cli {

class Context;

/// How to reach an MQTT broker: --user, --password-file, --client-id, --mqtt-version.
class MqttOptions {
 public:
  void configure(CLI::App& app);
  /// For the clients that the context makes from now on.
  void apply(Context& context) const;

 private:
  MqttSettings settings_;
};

/// What a published message carries beside its payload.
class MqttMessageOptions {
 public:
  void configure(CLI::App& app);  ///< --user-property, --content-type, --message-expiry, --response-topic
  /// Errc::usage for a property without '='.
  [[nodiscard]] Result<void> apply(Request& request) const;

 private:
  std::vector<std::string> user_properties_;
  std::string content_type_, response_topic_;
  std::optional<Duration> expiry_;
};

}  // namespace aiot::cli
