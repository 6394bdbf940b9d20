#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/rate.h"
#include "core/base/time.h"

namespace aiot::gateway {

/// Names a request or an observation under way; 0 is none.
using Ticket = std::uint64_t;

/// What a node speaks.
enum class Protocol : std::uint8_t { coap, mqtt, mqttsn, websocket };
/// "CoAP", "MQTT", "MQTT-SN", "WebSocket": as the wire says it.
[[nodiscard]] std::string_view to_string(Protocol protocol);
[[nodiscard]] std::optional<Protocol> parse_protocol(std::string_view name);

/// The time of an event, on both clocks.
struct Now {
  TimePoint mono{};
  WallTime wall{};
};

/// The newest value of one resource.
struct Resource {
  std::string name;
  std::string bytes;
  std::optional<std::uint16_t> content_format;
  bool observed = false;  ///< the gateway follows it (RFC 7641)
  bool to_show = false;   ///< its newest value waits in the uplink
  WallTime time{};
};

/// What a resource directory registration adds to a node (RFC 9176 section 5).
struct Registration {
  std::string id;  ///< of its registration resource, /rd/ID
  std::string type, sector, endpoint;
  Duration lifetime{};
  std::string links;    ///< the registered document, for lookups
  bool simple = false;  ///< `links` are what the node's own /.well-known/core says (section 5.1)
  std::optional<SocketAddress> base;  ///< as it was given; without one the sender's address counts
};

struct Lane;

/// A node as the gateway holds it. A node that is out keeps only its name and place, so that its next
/// message brings it back.
struct Node {
  enum class Discovery : std::uint8_t { none, queued, running, done, failed };

  std::string uid;
  Protocol protocol = Protocol::coap;
  std::string id;         ///< its name in its own protocol; empty for CoAP
  SocketAddress address;  ///< last source, with its port; empty for MQTT
  SocketAddress local;    ///< the address of ours it spoke to: a NAT lets only that one back in
  /// It has proved this ("psk:IDENTITY" or "cert:SUBJECT" over DTLS or TLS, "token:ID" on a WebSocket): it
  /// speaks and is spoken to by nothing else from then on. Empty: nothing.
  std::string credential;
  std::uint16_t server_port = 5683;
  Duration agreed_silence{};       ///< it sleeps so long at most; zero: the usual time counts
  bool answers_at_source = false;  ///< writes reached it at its source port when 5683 was silent
  bool live = false;
  bool named = false;    ///< by --node: asked by the gateway, never forgotten
  bool refused = false;  ///< by the broker: another gateway has it
  Discovery discovery = Discovery::none;
  std::uint8_t attempts = 0;  ///< failed discoveries in a row
  std::uint16_t pending_writes = 0;
  Ticket job = 0;
  TimePoint retry_after{};  ///< of a failed discovery
  TimePoint refused_at{};
  RateMeter rate;  ///< of its updates
  TimePoint last_seen{};
  TimePoint told{};  ///< the broker last heard of it
  WallTime first_seen{};
  WallTime last_seen_wall{};
  std::vector<Resource> resources;
  std::vector<Ticket> observations;
  std::unique_ptr<Registration> registration;

  [[nodiscard]] Resource* find(std::string_view name);
  /// What tells people where it is: its IP address, or its id at a broker.
  [[nodiscard]] std::string place() const {
    return protocol == Protocol::mqtt || protocol == Protocol::mqttsn ? id : address.host();
  }
  /// Where its own CoAP server is.
  [[nodiscard]] SocketAddress server() const { return address.with_port(server_port); }

 private:
  friend class NodeTable;
  friend struct Lane;
  std::array<std::uint16_t, 4> ports_{};  ///< it said alive from these, newest first
  Duration lifetime_{};                   ///< out after so long a silence
  Lane* lane_ = nullptr;
  Node* older_ = nullptr;
  Node* newer_ = nullptr;
};

/// Nodes with one lifetime, oldest sign of life first: what makes expiry cheap.
struct Lane {
  Duration lifetime{};
  Node* oldest = nullptr;
  Node* newest = nullptr;
  std::size_t count = 0;
  void append(Node& node);
  void remove(Node& node);
};

struct TableLimits {
  std::size_t nodes = 200'000;  ///< live and out
  std::size_t out = 65'536;     ///< remembered after they went out; oldest forgotten
};

/// All nodes, by uid, by address and by last sign of life. Pure.
class NodeTable {
 public:
  explicit NodeTable(TableLimits limits = {}) : limits_(limits) {}

  [[nodiscard]] Node* find(std::string_view uid);
  /// The node a message from `source` belongs to: the one that last said alive from that address and port,
  /// else from that address.
  [[nodiscard]] Node* at_source(const SocketAddress& source);
  /// The only live node at that address; without any live one there the only node; else null.
  [[nodiscard]] Node* only_at(const SocketAddress& address);
  [[nodiscard]] std::size_t count_at(const SocketAddress& address) const;
  /// A node of that uid stands at that address, whatever its port.
  [[nodiscard]] static bool same_host(const SocketAddress& a, const SocketAddress& b) {
    return a.with_port(0) == b.with_port(0);
  }

  /// A new node, out and nowhere; null when the table is full of live nodes.
  Node* add(std::string_view uid, Duration lifetime);
  /// It said alive (or registered) from `source`: it is there now, and the newest there.
  void place(Node& node, const SocketAddress& source);
  /// Counts it among the live.
  void revive(Node& node);
  /// Counts it among the out; forgets the oldest of those beyond the bound.
  void retire(Node& node);
  void touch(Node& node, const Now& now) {
    node.last_seen = now.mono;
    node.last_seen_wall = now.wall;
    if (node.lane_ != nullptr && node.lane_->newest != &node) {
      auto* lane = node.lane_;
      lane->remove(node);
      lane->append(node);
    }
  }
  /// Changes after how long a silent node is out.
  void set_lifetime(Node& node, Duration lifetime);
  [[nodiscard]] static Duration lifetime(const Node& node) { return node.lifetime_; }
  void forget(Node& node);

  /// The live node that is due to go out at `now`, or null.
  [[nodiscard]] Node* expired(TimePoint now);
  /// When the next live node goes out if all stay silent.
  [[nodiscard]] std::optional<TimePoint> next_expiry() const;

  [[nodiscard]] std::size_t size() const { return nodes_.size(); }
  [[nodiscard]] std::size_t live() const { return nodes_.size() - out_.count; }
  [[nodiscard]] std::size_t out() const { return out_.count; }
  /// Every uid; the order is not defined.
  [[nodiscard]] std::vector<std::string> uids(bool live_only) const;

 private:
  void unplace(Node& node);
  Lane& lane_for(Duration lifetime);

  TableLimits limits_;
  std::unordered_map<std::string_view, std::unique_ptr<Node>> nodes_;  ///< keys view the nodes' uids
  std::unordered_map<SocketAddress, Node*> by_port_;
  std::unordered_map<SocketAddress, std::vector<Node*>> by_host_;  ///< last alive at the back
  std::map<Duration, Lane> lanes_;
  Lane out_;
};

}  // namespace aiot::gateway
