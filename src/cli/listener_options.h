#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "cli/options.h"
#include "core/base/address.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/tls/listener_files.h"
#include "daemon/gateway/web_socket_files.h"

namespace aiot::gateway {
struct Options;
}

namespace aiot::cli {

/// serve-gateway's options of the protocols that nodes speak.
class ListenerOptions {
 public:
  void add(CLI::App& app);
  /// Errc::usage names the option that is wrong.
  Result<void> fill(gateway::Options& out) const;

 private:
  Result<void> fill_coaps(gateway::Options& out) const;
  Result<void> fill_ws(gateway::Options& out) const;
  Result<void> fill_mqttsn(gateway::Options& out) const;
  Result<void> fill_mqtt(gateway::Options& out) const;
  /// Once a listener is named, only the named are opened; without any, each at its usual port.
  [[nodiscard]] std::optional<SocketAddress> listener(const OptionHandle& option,
                                                      const std::optional<SocketAddress>& given,
                                                      std::uint16_t port) const;

  std::optional<SocketAddress> coap_, coaps_, ws_, mqttsn_;
  OptionHandle coap_option_, ws_option_, mqttsn_option_;
  tls::ListenerFiles coaps_files_;
  gateway::WebSocketFiles ws_files_;
  std::size_t mqttsn_id_ = 1;
  std::optional<Duration> mqttsn_retry_;
  std::string mqttsn_retries_;
  std::vector<std::string> mqttsn_topics_;
  std::string mqtt_, mqtt_discovery_, mqtt_user_, mqtt_password_file_, mqtt_ca_, mqtt_cert_, mqtt_key_;
  std::vector<std::string> mqtt_maps_;
};

}  // namespace aiot::cli
