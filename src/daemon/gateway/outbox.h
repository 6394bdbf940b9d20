#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "daemon/gateway/counters.h"
#include "daemon/gateway/journal.h"
#include "daemon/gateway/node_table.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::gateway {

struct OutboxLimits {
  std::size_t message_bytes = 256 * 1024;  ///< a message is closed once it is larger
  std::size_t node_bytes = 128 * 1024;     ///< of one node's values in a snapshot; the rest follows
  std::size_t events = 131'072;            ///< that wait to be shown
  std::size_t direct = 8192;               ///< items may wait for the connection before it counts as behind
};

/// What is on its way to the broker, and in which messages. Pure.
///
/// Every item goes into the journal, and from there to the broker in the order of its number. While the
/// connection keeps up that is all. When it does not, or after it was away, the broker hears twice: of the
/// newest values at once (`sync`, then `live` messages, which hold only the newest value of each resource),
/// and of everything in order, as a replay for its history.
class Outbox {
 public:
  Outbox(NodeTable& table, Journal& journal, OutboxLimits limits = {})
      : table_(table), journal_(journal), limits_(limits) {}

  void update(Node& node, Resource& resource);
  void item(wire::Item item);

  /// The stream whose items go first on the next connection: what a hello must name.
  [[nodiscard]] Journal::Stream next_stream();
  /// The broker has welcomed this gateway: a snapshot of the node table goes first. `replays`: it tells items
  /// of now from history.
  void opened(std::uint64_t acknowledged, std::uint32_t window, bool replays);
  void resumed(const std::string& stream, std::uint64_t acknowledged);
  void lost();
  void acknowledged(std::uint64_t sequence);

  /// The next message to send; empty when there is none now, or the window is full.
  [[nodiscard]] std::string take();
  /// More waits to be shown than the bound: only a new connection with its snapshot puts it right.
  [[nodiscard]] bool overflowed() const { return overflowed_; }
  /// This stream is through, and the broker knows no other way to the next than a new hello.
  [[nodiscard]] bool wants_redial() const { return wants_redial_; }
  /// Items sent and not acknowledged.
  [[nodiscard]] std::uint64_t in_flight() const { return in_flight_; }
  [[nodiscard]] UplinkCounters counters() const;

 private:
  enum class State { away, syncing, flowing, switching };

  /// What happens now reaches the broker by its number soon enough.
  [[nodiscard]] bool direct() const {
    return state_ == State::flowing && show_until_ == kAlways &&
           journal_.end(stream_.id) - next_ <= limits_.direct;
  }
  void fall_behind(bool kept);
  void show(Node& node, Resource& resource);
  [[nodiscard]] std::string take_live();
  [[nodiscard]] std::string take_numbered();
  [[nodiscard]] std::string next_snapshot();
  [[nodiscard]] wire::NodeSnapshot snapshot_of(Node& node);
  void start_stream(std::uint64_t acknowledged);

  static constexpr std::uint64_t kAlways = ~0ULL;

  NodeTable& table_;
  Journal& journal_;
  OutboxLimits limits_;
  State state_ = State::away;
  Journal::Stream stream_;  ///< being sent
  std::uint64_t next_ = 1;  ///< number to send next
  /// Items below this are of now; those from here on were or will be shown otherwise.
  std::uint64_t show_until_ = kAlways;
  std::deque<std::pair<std::uint64_t, std::uint64_t>>
      sent_;  ///< last number and count of each message not acknowledged
  std::uint64_t in_flight_ = 0;
  std::uint32_t window_ = 0;
  bool replays_ = false;
  bool wants_redial_ = false;
  std::deque<wire::Item> events_;                           ///< to be shown
  std::deque<std::pair<std::string, std::string>> values_;  ///< uid and resource, to be shown
  std::vector<std::string> snapshot_uids_;
  std::size_t snapshot_next_ = 0;
  std::unordered_set<std::string> changed_meanwhile_;  ///< came or went since the snapshot began
  bool live_first_ = true;
  bool overflowed_ = false;
  UplinkCounters counters_;
};

}  // namespace aiot::gateway
