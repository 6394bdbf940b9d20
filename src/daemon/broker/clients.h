#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/event_loop.h"
#include "daemon/broker/broadcast_log.h"
#include "daemon/broker/counters.h"
#include "daemon/broker/hub.h"
#include "daemon/broker/outbox.h"
#include "daemon/broker/snapshot.h"

namespace aiot::broker {

class ClientSession;

/// The hub of this process: what happens is encoded once for all clients of pyaiot's wire, and each takes it
/// at its own pace, within its bound.
class Clients final : public Hub {
 public:
  struct Bounds {
    std::size_t outbox_bytes = 8 * 1024 * 1024;
    /// Beside its snapshot a client may fall this many times further behind.
    std::size_t snapshot_factor = 4;
    /// A client that takes nothing of its snapshot for so long is dropped.
    Duration snapshot_patience = std::chrono::seconds(30);
  };

  Clients(EventLoop& loop, NodeTable& table, Counters& counters, Bounds bounds);

  void joined(const Node& node) override;
  void updated(const Node& node, const Resource& resource) override;
  void addressed(const Node& node) override;
  void protocol_told(const Node& node) override;
  void restarted(const Node& node) override;
  void gone(const Node& node) override;

  void add(ClientSession& client);
  void remove(ClientSession& client);
  /// Gives the client the table as of now, and what follows.
  void join(ClientSession& client);

  [[nodiscard]] std::size_t size() const { return clients_.size(); }
  /// Log bytes kept for the slowest client, and encoded snapshots.
  [[nodiscard]] std::size_t queued_bytes() const;
  /// Brings Counters::delivered up to date.
  void count_delivered();

 private:
  void append(bool is_update);
  void flush();
  void look_after();
  [[nodiscard]] bool over_bound(const ClientSession& client) const;
  void drop(ClientSession& client, std::string_view why);

  EventLoop& loop_;
  Counters& counters_;
  Bounds bounds_;
  BroadcastLog log_;
  SnapshotCache snapshots_;
  std::vector<ClientSession*> clients_;  ///< null while one leaves during a walk
  std::size_t readers_ = 0;              ///< clients that joined: without any, nothing is encoded
  std::string payload_;                  ///< scratch of append
  bool flush_posted_ = false;
  bool walking_ = false;
  TimePoint last_join_{};
  std::unique_ptr<Timer> timer_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();  ///< posted flushes end with this
};

}  // namespace aiot::broker
