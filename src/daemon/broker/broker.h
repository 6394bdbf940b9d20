#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/base/rate.h"
#include "core/base/time.h"
#include "daemon/broker/site.h"

namespace aiot {

class EventLoop;

namespace broker {

struct Options {
  SocketAddress listen;
  std::string key_file;   ///< created (0600) when missing and listening on loopback
  std::string state_dir;  ///< empty: nothing is kept across restarts
  Duration retention = std::chrono::hours(24 * 30);  ///< of history and events; zero: for ever
  Duration forget_out{};                             ///< a node out for so long is forgotten; zero: never
  std::uint64_t retention_bytes = 0;                 ///< oldest out beyond it; zero: no bound
  std::vector<std::string> allow_origins;
  std::size_t max_connections = 16384;
  std::size_t max_connections_per_address = 256;  ///< loopback may have any number; zero: no bound
  Rate client_rate;                               ///< messages of one client's WebSocket
  Rate gateway_rate;                              ///< updates of one gateway
  std::size_t max_nodes_per_gateway = 100'000;
  std::size_t client_outbox_bytes = 8 * 1024 * 1024;  ///< a client further behind is dropped and counted
  bool dashboard = true;
  SiteOptions site;
};

/// The broker: one port for dashboard, REST, /ws, /gw and metrics.
class Broker {
 public:
  virtual ~Broker() = default;
  static std::unique_ptr<Broker> make(EventLoop& loop, Options options);
  virtual Result<void> start() = 0;
  [[nodiscard]] virtual SocketAddress bound() const = 0;
  /// Closes every session and the port; `done` within `deadline`.
  virtual void stop(Duration deadline, Completion<> done) = 0;
  virtual void reload() = 0;  ///< SIGHUP: keys again; a bad file is logged and the old keys stay
};

}  // namespace broker
}  // namespace aiot
