#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/time.h"
#include "core/model/update.h"

namespace aiot::broker {

class GatewayLink;

inline constexpr std::size_t kMaxNodes = 200'000;
/// Of one gateway, unless the broker is told another number.
inline constexpr std::size_t kMaxNodesOfGateway = 100'000;
inline constexpr std::size_t kMaxResourcesPerNode = 1024;
/// All names and values together; an update beyond it is dropped and counted.
inline constexpr std::size_t kMaxTableBytes = 256 * 1024 * 1024;
/// Nodes that share one encoded piece of the snapshot.
inline constexpr std::size_t kNodesPerBlock = 64;

/// The last value of one resource of a node.
struct Resource {
  std::string name;
  std::string bytes;
  WallTime time{};
  std::optional<std::uint16_t> content_format;
  bool raw_json =
      false;  ///< a pyaiot gateway sent it as JSON of another type than text: `bytes` is that JSON
  bool time_uncertain = false;
  bool told = false;           ///< clients have it since the node last joined
  std::uint64_t sequence = 0;  ///< the gateway's number of it; 0 for none
};

/// A gateway that is connected, or that still has nodes here.
struct GatewayRecord {
  std::string name;
  std::string site;    ///< empty for all of pyaiot's
  std::string stream;  ///< of the native wire
  std::string software;
  std::string peer;
  std::string credential;  ///< by what it proved itself when it came (Principal::id)
  std::string proof;       ///< Principal::proof
  bool native = false;
  GatewayLink* link = nullptr;  ///< null while disconnected
  WallTime connected_since{};
  WallTime last_seen{};
  std::size_t nodes = 0;     ///< that it owns
  std::uint64_t serial = 0;  ///< as a node's
  std::uint32_t sync_epoch = 0;
  std::uint64_t updates = 0;
  std::vector<std::pair<std::string, std::uint64_t>> reported;  ///< what it has counted, by name
  WallTime reported_at{};
};

/// Under which name pyaiot's wire tells the address.
enum class AddressKind : std::uint8_t { none, ip, id };

struct Node {
  std::string uid;
  std::string protocol;  ///< "CoAP", "MQTT", "MQTT-SN", "WebSocket", or what a pyaiot gateway says
  std::string address;
  GatewayRecord* owner = nullptr;
  WallTime first_seen{};
  WallTime last_seen{};
  TimePoint heard{};  ///< when its owner last said something of it
  std::vector<Resource> resources;
  std::uint64_t serial = 0;  ///< no other node ever has it; slots are used again
  std::uint32_t slot = 0;
  std::uint32_t sync_epoch = 0;
  NodeState state = NodeState::live;
  AddressKind address_kind = AddressKind::none;
  bool address_told = false;
  bool protocol_told = false;
  bool hidden = false;    ///< forgotten by an operator; comes back with its next message
  bool noted_out = true;  ///< the last of its events says that it is out; none does at first
  std::uint64_t resets = 0;
  std::uint64_t timeouts = 0;         ///< reads and writes it did not answer
  std::uint64_t rejected_writes = 0;  ///< that it refused
  double interval_s = 0;              ///< between its updates, on average of the newest; 0: not known
  std::vector<std::pair<std::string, std::string>> labels;  ///< by name

  /// An update came at that time: for the interval.
  void count_update(WallTime time);
  [[nodiscard]] const Resource* find(std::string_view name) const;
};

/// Every node the broker knows, by uid and by slot; pure data. Slots are stable, and every kNodesPerBlock of
/// them make a block that is marked when one of its nodes changes.
class NodeTable {
 public:
  explicit NodeTable(std::size_t max_of_gateway = kMaxNodesOfGateway);
  ~NodeTable();
  NodeTable(const NodeTable&) = delete;
  NodeTable& operator=(const NodeTable&) = delete;

  /// Null when unknown; hidden nodes are found.
  [[nodiscard]] Node* find(std::string_view uid);
  [[nodiscard]] const Node* find(std::string_view uid) const;
  /// A node that is not in the table yet. When it is full a node that is out or hidden makes room; null when
  /// there is none. Null also when `owner` has as many nodes as a gateway may have.
  Node* create(std::string_view uid, GatewayRecord& owner);
  void remove(Node& node);
  void set_owner(Node& node, GatewayRecord& owner);

  enum class SetResult : std::uint8_t { changed, same, full };
  /// Stores a value (its `told` aside); `full` when a bound forbids it. `stored` is where it is now.
  SetResult set(Node& node, Resource value, Resource*& stored);
  void clear_resources(Node& node);
  /// The node's block no longer shows it as it is.
  void mark(const Node& node) { ++versions_[node.slot / kNodesPerBlock]; }

  [[nodiscard]] std::size_t max_of_gateway() const { return max_of_gateway_; }
  [[nodiscard]] std::size_t size() const { return by_uid_.size(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// Slots, with null where none is.
  [[nodiscard]] const std::vector<std::unique_ptr<Node>>& slots() const { return slots_; }
  /// Of each block, a number that changes with it; never 0.
  [[nodiscard]] const std::vector<std::uint32_t>& block_versions() const { return versions_; }

  /// The gateway of that name, made when unknown.
  GatewayRecord& gateway(std::string_view name);
  [[nodiscard]] GatewayRecord* find_gateway(std::string_view name);
  /// Forgets gateways that are neither connected nor own a node.
  void drop_idle_gateways();
  [[nodiscard]] const std::unordered_map<std::string, std::unique_ptr<GatewayRecord>>& gateways() const {
    return gateways_;
  }

 private:
  bool make_room();

  std::vector<std::unique_ptr<Node>> slots_;
  std::vector<std::uint32_t> free_;
  std::unordered_map<std::string_view, Node*> by_uid_;  ///< keys are views of Node::uid
  std::unordered_map<std::string, std::unique_ptr<GatewayRecord>> gateways_;
  std::vector<std::uint32_t> versions_;
  std::size_t max_of_gateway_;
  std::uint64_t serials_ = 0;
  std::size_t bytes_ = 0;
  std::size_t evict_at_ = 0;
};

}  // namespace aiot::broker
