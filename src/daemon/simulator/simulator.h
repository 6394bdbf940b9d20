#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/base/time.h"

namespace aiot {

class EventLoop;

namespace simulator {

struct CoapOptions {
  SocketAddress gateway;
  std::size_t nodes = 1;
  std::size_t first = 0;  ///< uids are sim-<first> ...
  Duration interval = std::chrono::seconds(5);
  std::vector<std::string> resources = {"name", "temperature", "pressure", "led"};
  bool confirmable = false;
  /// Node i has the address base + i (127.0.0.0/8; x.y.z.0 and x.y.z.255 are skipped), its CoAP server on
  /// port 5683 there.
  std::string base_address = "127.1.0.1";
};

struct Counters {
  std::uint64_t posts_sent = 0, posts_acknowledged = 0, requests_served = 0, writes = 0;
};

/// Virtual pyaiot CoAP nodes: alive at start and every 30 s, a post of one changing resource each
/// interval, `.well-known/core`, resources that can be read, a led that can be written.
class CoapNodes {
 public:
  virtual ~CoapNodes() = default;
  static std::unique_ptr<CoapNodes> make(EventLoop& loop, CoapOptions options);
  /// Opens the sockets, raising the soft descriptor limit as needed. Errc::internal names the limit.
  virtual Result<void> start() = 0;
  [[nodiscard]] virtual Counters counters() const = 0;
};

}  // namespace simulator
}  // namespace aiot
