#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/base/rate.h"
#include "core/base/time.h"
#include "core/tls/client_files.h"
#include "core/tls/listener_files.h"
#include "daemon/gateway/counters.h"
#include "daemon/gateway/web_socket_files.h"

namespace aiot {

class EventLoop;

namespace gateway {

/// What a gateway is called unless it is told: as its host.
[[nodiscard]] std::string default_name();

/// An MQTT broker whose clients are nodes, and to which MQTT-SN clients are passed on.
struct MqttBroker {
  std::string host;
  std::uint16_t port = 1883;
  bool tls = false;
  std::string ca_file, cert_file, key_file;  ///< PEM
  std::string user, password;
  std::vector<std::string> maps;                   ///< patterns, see TopicMap
  std::string discovery_prefix = "homeassistant";  ///< empty: off
};

struct Options {
  std::string name;                                ///< unique at the broker; default: the host's name
  std::string site;                                ///< default: the name
  std::optional<std::string> broker_url;           ///< none: no uplink (tests, benches)
  std::string key_file;                            ///< pyaiot's INI key file
  std::string token;                               ///< instead of a key file
  tls::ClientFiles broker_tls;                     ///< for a broker on wss
  std::string state_dir;                           ///< empty: nothing is kept across restarts
  Duration sync = std::chrono::milliseconds(100);  ///< a power cut loses no more; zero: nothing
  std::uint64_t journal_bytes = 256ULL * 1024 * 1024;
  Duration journal_age = std::chrono::hours(24 * 7);
  std::optional<SocketAddress> coap;     ///< UDP and TCP listener; none: off
  std::optional<SocketAddress> coaps;    ///< DTLS and TLS listener; none: off
  tls::ListenerFiles coaps_files;        ///< whom it lets in
  std::optional<SocketAddress> ws;       ///< WebSocket nodes; none: off
  WebSocketFiles ws_files;               ///< whom that lets in
  std::optional<SocketAddress> mqttsn;   ///< MQTT-SN clients; none: off
  std::optional<SocketAddress> metrics;  ///< where /metrics is served; none: nowhere
  std::uint8_t mqttsn_id = 1;            ///< GwId
  std::vector<std::pair<std::uint16_t, std::string>> mqttsn_topics;  ///< predefined ids
  Duration mqttsn_retry = std::chrono::seconds(10);                  ///< Tretry
  std::optional<MqttBroker> mqtt;                                    ///< none: off
  int mqttsn_retries = 4;                                            ///< Nretry; negative: no limit
  Duration max_time = std::chrono::seconds(120);
  std::vector<std::pair<std::string, Duration>> max_time_for;  ///< uid pattern to time
  std::vector<std::string> nodes;                              ///< --node coap://...
  std::vector<std::string> allow;                              ///< CIDRs; empty: everyone
  bool trust_first_use = false;      ///< a uid stays with the address that used it first
  std::vector<std::string> release;  ///< patterns of uids of which the address may be another now
  Rate node_rate;                    ///< of each node's updates
  std::size_t max_nodes = 100'000;   ///< live and remembered
};

/// The gateway: node sources, policy, uplink, on one loop. Owns everything it starts.
class Gateway {
 public:
  virtual ~Gateway() = default;
  static std::unique_ptr<Gateway> make(EventLoop& loop, Options options);
  /// Opens the listeners and starts dialling the broker. Errc::unreachable: an address in use; usage: a bad
  /// key file.
  virtual Result<void> start() = 0;
  /// "coap", "coap+tcp", "coaps", "coaps+tcp", "ws", "mqttsn" and "metrics" with their bound addresses.
  [[nodiscard]] virtual std::vector<std::pair<std::string, SocketAddress>> listeners() const = 0;
  /// What came in, and where it went.
  [[nodiscard]] virtual Counters counters() = 0;
  /// SIGHUP: the nodes' keys, tokens and certificates again; a bad file is logged and what was before stays.
  virtual void reload() = 0;
  /// Says good-bye to the broker, saves the node table; `done` within `deadline`.
  virtual void stop(Duration deadline, Completion<> done) = 0;
};

}  // namespace gateway
}  // namespace aiot
