#pragma once

#include "core/mqttsn/gateway_core.h"

namespace aiot::mqttsn {

/// What goes to clients: for each one message at a time, repeated until it is acknowledged (section 6.13),
/// and for a sleeping one only once it asks (section 6.14).
class Delivery {
 public:
  explicit Delivery(GatewayCore& core) : core_(core) {}

  /// Queues and, when nothing else is under way, sends.
  void add(Session& session, Message message, TimePoint now);
  /// Starts the next message, if the client can be reached; ends an awake client's turn.
  void pump(Session& session, TimePoint now);
  /// The time of a retransmission has come. False when the retries ran out: the message stays queued.
  [[nodiscard]] bool retry(Session& session, TimePoint now);
  /// Whatever was under way is to be started afresh, with a connection that is new.
  static void interrupt(Session& session);

  // Packets of the client.
  void registered(Session& session, const Packet& packet, TimePoint now);
  void acknowledged(Session& session, const Packet& packet, TimePoint now);
  void received(Session& session, const Packet& packet, TimePoint now);
  void completed(Session& session, const Packet& packet, TimePoint now);

  [[nodiscard]] std::size_t queued() const { return queued_; }
  void forget(const Session& session);
  /// A restored session's queue counts as well.
  void restored(const Session& session);

 private:
  [[nodiscard]] bool is_waiting(const Session& session, InFlight::Step step, const Packet& packet) const;
  void start(Session& session, InFlight::Step step, TimePoint now);
  void transmit(Session& session, bool again);
  void pop(Session& session, bool delivered);
  [[nodiscard]] static std::uint16_t next_message_id(Session& session);
  /// The topic's kind and id; the id is 0 when there is no room for one.
  [[nodiscard]] std::pair<TopicKind, std::uint16_t> topic_id(Session& session,
                                                             const std::string& topic) const;

  GatewayCore& core_;
  std::size_t queued_ = 0;
  std::size_t queued_bytes_ = 0;
};

}  // namespace aiot::mqttsn
