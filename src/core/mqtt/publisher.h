#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/mqtt/session.h"

namespace aiot::mqtt {

class Handle;

/// Answers to give once libmosquitto is left.
using Answers = std::deque<std::pair<Completion<>, Result<void>>>;

/// The messages on their way to the server, in order: those that wait, and those that were handed to
/// libmosquitto, at most a window of them. libmosquitto itself would take any number, and lose what comes
/// after 65,535; it also gives a packet identifier anew when that many have passed, whoever still uses it.
class Publisher {
 public:
  explicit Publisher(const SessionOptions& options);

  /// False when too many wait; writable() is true once half of them have left.
  [[nodiscard]] bool accepts(const Message& message);
  void add(Message message, Completion<> done);
  [[nodiscard]] bool take_writable();

  /// A connection whose server takes `receive_maximum` unacknowledged messages at once.
  void connected(std::uint16_t receive_maximum);
  /// Hands over what the window allows.
  void feed(Handle& handle, Answers& answers);
  void published(int mid, int reason, Answers& answers);
  /// The connection ended. `kept`: the same Handle will send its unacknowledged messages again; what it had
  /// not yet written of QoS 0 waits again. Otherwise all does.
  void lost(bool kept);
  void fail(const Error& why, Answers& answers);

  [[nodiscard]] bool empty() const { return waiting_.empty() && handed_.empty(); }
  /// Some of QoS 2 may have been taken by a server that does not know of it any more.
  [[nodiscard]] bool has_half_done() const;
  void count(SessionCounters& counters) const;

 private:
  struct Outgoing {
    Message message;
    Completion<> done;
    int mid = 0;
  };
  void finish(Outgoing& outgoing, Result<void> result, Answers& answers);

  std::size_t max_window_, window_, max_queued_, max_bytes_;
  std::deque<Outgoing> waiting_;
  std::map<std::uint64_t, Outgoing> handed_;  ///< by the order in which they were handed over
  std::unordered_map<int, std::uint64_t> by_mid_;
  std::uint64_t next_ = 0;
  std::size_t bytes_ = 0;
  bool refused_ = false;
  std::uint64_t published_ = 0, acknowledged_ = 0, failed_ = 0;
};

}  // namespace aiot::mqtt
