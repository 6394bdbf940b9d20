#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/base/function.h"
#include "core/base/time.h"
#include "daemon/gateway/counters.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot {

class EventLoop;

namespace ws {
class HttpServer;
}

namespace gateway {

/// In the Prometheus text format.
[[nodiscard]] std::string format_metrics(const Counters& counters, std::string_view gateway);

/// What the broker is told of them.
[[nodiscard]] wire::Report report_of(const Counters& counters);

/// Serves a gateway's /metrics, /healthz and /readyz.
class MetricsServer {
 public:
  /// Errc::unreachable: the address is in use.
  static Result<std::unique_ptr<MetricsServer>> listen(EventLoop& loop, const SocketAddress& address,
                                                       std::string gateway,
                                                       UniqueFunction<Counters()> counters);
  ~MetricsServer();
  [[nodiscard]] SocketAddress bound() const;
  void stop(Duration deadline, Completion<> done);

 private:
  MetricsServer() = default;

  std::string gateway_;
  UniqueFunction<Counters()> counters_;
  std::unique_ptr<ws::HttpServer> server_;
};

}  // namespace gateway
}  // namespace aiot
