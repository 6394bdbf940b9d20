#pragma once

#include <cstdint>
#include <memory>
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
  std::size_t first = 0;                          ///< uids are sim-<first> ...
  Duration interval = std::chrono::seconds(5);    ///< between two posts of a node; 0 posts nothing
  Duration heartbeat = std::chrono::seconds(30);  ///< between two alives of a node
  std::vector<std::string> resources = {"name", "temperature", "pressure", "led"};
  bool confirmable = false;  ///< CON posts, retransmitted; RIOT's are NON
  bool boot_reset = false;   ///< the first message is `reset:UID`, as a node says that has just booted
  /// Node i has the address base + i, its CoAP server on `port` there. In IPv4, x.y.z.0 and x.y.z.255 are
  /// skipped; any address of 127.0.0.0/8 works as it is, others must be this machine's own.
  std::string base_address = "127.1.0.1";
  std::uint16_t port = 5683;
};

/// The most nodes one process simulates.
inline constexpr std::size_t kMaxNodes = 200'000;

struct Counters {
  std::uint64_t alives_sent = 0;         ///< retries included
  std::uint64_t joined = 0;              ///< nodes whose first alive was answered
  std::uint64_t posts_sent = 0;          ///< values, retransmissions not included
  std::uint64_t posts_acknowledged = 0;  ///< answered 2.xx
  std::uint64_t posts_refused = 0;       ///< answered with an error or a reset
  std::uint64_t posts_unanswered = 0;    ///< given up
  std::uint64_t posts_skipped = 0;       ///< due while the one before was still unanswered (confirmable)
  std::uint64_t retransmissions = 0;
  std::uint64_t requests_served = 0;
  std::uint64_t writes = 0;         ///< values a gateway wrote
  std::uint64_t malformed = 0;      ///< datagrams that were not CoAP
  std::uint64_t send_failures = 0;  ///< the kernel refused a datagram
};

/// Virtual nodes of one kind.
class Simulation {
 public:
  virtual ~Simulation() = default;
  /// Opens what they need, raising the descriptor limit. Errc::usage for a bad resource or address,
  /// Errc::internal names the limit that is too low, Errc::unreachable an address in use.
  virtual Result<void> start() = 0;
  [[nodiscard]] virtual Counters counters() const = 0;
};

/// Nodes that speak in messages: MQTT, MQTT-SN or WebSocket.
struct MessageOptions {
  SocketAddress gateway;  ///< MQTT: the broker
  std::size_t nodes = 1;
  std::size_t first = 0;
  Duration interval = std::chrono::seconds(5);    ///< between two values of a node; 0 tells none
  Duration heartbeat = std::chrono::seconds(30);  ///< between two node/check of a node
  std::vector<std::string> resources = {"name", "temperature", "pressure", "led"};
  /// MQTT-SN: between two values a node sleeps for this long; 0: always awake.
  Duration sleep{};
};

/// MQTT-SN nodes as RIOT's emcute makes them, each with a socket of its own: CONNECT once, SUBSCRIBE to what
/// the gateway says, REGISTER before each PUBLISH at QoS 1. Sleeping ones say so and fetch what waits.
std::unique_ptr<Simulation> make_mqttsn_nodes(EventLoop& loop, MessageOptions options);
/// MQTT nodes at a broker, each with a connection of its own; QoS 1.
std::unique_ptr<Simulation> make_mqtt_nodes(EventLoop& loop, MessageOptions options);
/// WebSocket nodes at the gateway's `/node?uid=UID`, which come back when the connection is lost.
std::unique_ptr<Simulation> make_ws_nodes(EventLoop& loop, MessageOptions options);

/// Virtual pyaiot CoAP nodes: alive at start and every 30 s, a post of one changing resource each
/// interval, `.well-known/core`, resources that can be read, a led that can be written.
class CoapNodes : public Simulation {
 public:
  static std::unique_ptr<CoapNodes> make(EventLoop& loop, CoapOptions options);
};

}  // namespace simulator
}  // namespace aiot
