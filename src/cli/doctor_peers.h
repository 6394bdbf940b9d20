#pragma once

#include <memory>
#include <string>

#include "cli/finding.h"
#include "core/base/completion.h"

namespace aiot::cli {

class Context;

/// Whether a gateway answers CoAP at `host` ("127.0.0.1", "[fd00::1]:5683"). `expected`: that there is none
/// is a failure. `done` once, on a turn of its own.
[[nodiscard]] Operation probe_gateway(Context& context, const std::string& host, bool expected,
                                      const Report& report, UniqueFunction<void()> done);

/// An MQTT broker, and what is shown to it.
struct MqttTarget {
  std::string url;  ///< mqtt[s]://HOST[:PORT]
  std::string user, password_file, ca_file, cert_file, key_file;
};

/// Whether the MQTT broker takes a connection with that name, password and certificate. `done` once, possibly
/// at once.
class MqttProbe {
 public:
  virtual ~MqttProbe() = default;
  static std::unique_ptr<MqttProbe> start(Context& context, const MqttTarget& target, const Report& report,
                                          UniqueFunction<void()> done);
};

}  // namespace aiot::cli
