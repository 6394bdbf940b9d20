#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/gateway/counters.h"
#include "daemon/gateway/node_table.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::gateway {

struct OutboxLimits {
  std::size_t message_bytes = 256 * 1024;  ///< a message is closed once it is larger
  std::size_t node_bytes = 128 * 1024;  ///< of one node's values in a snapshot; the rest follows as updates
  std::size_t events = 131'072;         ///< items other than values that wait for room
  std::size_t notices = 1024;           ///< that wait for a connection
};

/// What is on its way to the broker, and in which messages. Pure.
///
/// While the connection has room every item leaves in the order in which it came. When it has none, or
/// before it is in step, only the newest value of each resource waits, in the node table itself; when
/// there is no connection the snapshot of the next one carries everything. Every item ends up in exactly
/// one of the counters.
class Outbox {
 public:
  explicit Outbox(NodeTable& table, OutboxLimits limits = {}) : table_(table), limits_(limits) {}

  void update(Node& node, Resource& resource);
  void item(wire::Item item);

  /// The broker has welcomed this gateway: a snapshot of the node table goes first.
  void opened(std::uint64_t acknowledged, std::uint32_t window);
  void lost();
  void acknowledged(std::uint64_t sequence);

  /// The next message to send; empty when there is none or the window is full.
  [[nodiscard]] std::string take();
  /// More events wait than the bound: only a new connection with its snapshot puts it right.
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  /// Items sent and not acknowledged.
  [[nodiscard]] std::uint64_t in_flight() const { return next_ - 1 - acknowledged_; }
  [[nodiscard]] UplinkCounters counters() const;

 private:
  enum class State { away, syncing, flowing };

  [[nodiscard]] bool flows() const {
    return state_ == State::flowing && events_.empty() && values_.empty() && window_left() > 0;
  }
  [[nodiscard]] std::uint64_t window_left() const {
    const auto used = in_flight() + writer_.items();
    return used < window_ ? window_ - used : 0;
  }
  void write(const Node& node, const Resource& resource);
  void hold(Node& node, Resource& resource, Held how);
  void written();
  [[nodiscard]] std::string cut();
  [[nodiscard]] std::string next_snapshot();
  [[nodiscard]] wire::NodeSnapshot snapshot_of(Node& node);
  void drain();

  NodeTable& table_;
  OutboxLimits limits_;
  State state_ = State::away;
  wire::BatchWriter writer_;
  wire::Item scratch_ = Update{};  ///< reused for each update: no allocation for short strings
  std::deque<std::string> ready_;  ///< full messages, numbered
  std::deque<wire::Item> events_;  ///< waiting for room
  std::deque<std::pair<std::string, std::string>> values_;  ///< uid and resource, waiting for room
  std::deque<wire::Item> notices_;                          ///< waiting for a connection
  std::vector<std::string> snapshot_uids_;
  std::size_t snapshot_next_ = 0;
  std::unordered_set<std::string> changed_meanwhile_;  ///< came or went since the snapshot began
  std::uint64_t next_ = 1;
  std::uint64_t acknowledged_ = 0;
  std::uint32_t window_ = 0;
  std::uint64_t held_away_ = 0;
  std::uint64_t in_doubt_ = 0;  ///< unsent when the connection was lost: the next snapshot's
  bool overflowed_ = false;
  UplinkCounters counters_;
};

}  // namespace aiot::gateway
