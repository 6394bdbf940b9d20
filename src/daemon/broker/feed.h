#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/broker/broadcast_log.h"

namespace aiot::broker {

class FeedReader;

/// What subscriptions with one interest and one id get, when they do not conflate: batches that are encoded
/// once, when the turn is over in which their items came, and read by each at its own pace.
class Feed {
 public:
  Feed(std::uint64_t id, bool events);

  [[nodiscard]] std::uint64_t id() const { return id_; }
  /// It tells what happens to nodes and gateways too.
  [[nodiscard]] bool events() const { return events_; }

  void append(std::string_view item, Tally what);
  /// What was appended becomes a batch, and readers that are too far behind lose what they have not read.
  void cut();
  [[nodiscard]] const BroadcastLog& log() const { return log_; }

  void add(FeedReader& reader) { readers_.push_back(&reader); }
  void remove(FeedReader& reader) { std::erase(readers_, &reader); }
  [[nodiscard]] const std::vector<FeedReader*>& readers() const { return readers_; }
  /// What the slowest reader has not read.
  [[nodiscard]] std::size_t queued_bytes() const;

 private:
  std::uint64_t id_;
  bool events_;
  BroadcastLog log_;
  std::string batch_;  ///< the message that is being made; empty without items
  Tally holds_;
  std::vector<FeedReader*> readers_;
};

}  // namespace aiot::broker
