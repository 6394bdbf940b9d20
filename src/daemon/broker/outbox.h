#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/time.h"
#include "core/ws/http_server.h"
#include "daemon/broker/broadcast_log.h"
#include "daemon/broker/snapshot.h"

namespace aiot::broker {

/// What one client has still to get: its snapshot, then the log from the moment of that snapshot.
class Outbox final : public ws::FrameSource {
 public:
  /// `id` is the client's, of kClientIdSize characters.
  explicit Outbox(std::string id) : id_(std::move(id)) {}

  /// From now on it has something to say. A later call starts again from a new snapshot, once what is under
  /// way is out.
  void start(Snapshot snapshot, BroadcastLog::Cursor live);
  [[nodiscard]] bool started() const { return started_; }

  std::string_view peek() override;
  void consume(std::size_t bytes) override;

  [[nodiscard]] bool in_snapshot() const { return block_ < snapshot_.size() || !part_.empty(); }
  /// Log bytes not yet taken, as of the log's `position`.
  [[nodiscard]] std::uint64_t behind(std::uint64_t position) const;
  /// Bytes taken since the start: whether it moves.
  [[nodiscard]] std::uint64_t taken() const { return taken_; }
  /// Updates handed over since the last call.
  [[nodiscard]] std::uint64_t take_delivered();
  /// Updates of the log up to `updates` that were not handed over.
  [[nodiscard]] std::uint64_t undelivered(std::uint64_t updates) const;

 private:
  std::string id_;
  Snapshot snapshot_;
  std::size_t block_ = 0;  ///< the next to prepare
  std::string part_;       ///< the block on its way, addressed
  std::size_t part_taken_ = 0;
  std::uint32_t part_updates_ = 0;
  BroadcastLog::Cursor live_;
  std::uint64_t taken_ = 0;
  std::uint64_t delivered_ = 0;  ///< of snapshots
  std::uint64_t counted_ = 0;    ///< log updates reported by take_delivered
  bool started_ = false;
};

}  // namespace aiot::broker
