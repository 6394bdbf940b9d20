#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/mqttsn/packet.h"

namespace aiot::mqttsn {

/// Where a client is: an address, and its node id there when it is behind a forwarder (section 5.5).
struct Peer {
  SocketAddress address;
  std::string node;
  friend bool operator==(const Peer&, const Peer&) = default;
  /// "192.0.2.7:1885", with "/0a0b" for a node behind it.
  [[nodiscard]] std::string text() const;
};

struct PeerHash {
  std::size_t operator()(const Peer& peer) const {
    return peer.address.hash() ^ std::hash<std::string>()(peer.node);
  }
};

struct Message {
  std::string topic;
  std::string payload;
  int qos = 0;
  bool retain = false;
  TimePoint expires = TimePoint::max();  ///< not delivered later; such a message is not saved either
  /// What bounds in bytes count.
  [[nodiscard]] std::size_t size() const { return topic.size() + payload.size(); }
  friend bool operator==(const Message&, const Message&) = default;
};

/// The topic ids of one client, which stay as long as its session does.
class TopicIds {
 public:
  /// The id of `name`, new if need be; 0 beyond `limit` names.
  std::uint16_t assign(const std::string& name, std::size_t limit);
  /// 0 for a name that has none.
  [[nodiscard]] std::uint16_t find(const std::string& name) const;
  /// Null for an id that nobody registered.
  [[nodiscard]] const std::string* name(std::uint16_t id) const;
  /// Whether the client knows it too: it registered or subscribed it, or acknowledged ours.
  [[nodiscard]] bool known(std::uint16_t id) const { return known_.contains(id); }
  void set_known(std::uint16_t id, bool known);
  /// The client has begun anew: it knows none, but their numbers stay.
  void forget_known() { known_.clear(); }
  void restore(std::uint16_t id, const std::string& name, bool known);
  [[nodiscard]] const std::map<std::uint16_t, std::string>& all() const { return names_; }

 private:
  std::map<std::uint16_t, std::string> names_;
  std::unordered_map<std::string, std::uint16_t> ids_;
  std::set<std::uint16_t> known_;
  std::uint16_t last_ = 0;
};

/// What of a session has changed, so that a file can follow it.
struct SessionChange {
  enum class Kind : std::uint8_t {
    session,     ///< who and where it is, its state, will, subscriptions, or what is in flight
    topic,       ///< the topic id `id`: its name, or whether the client knows it
    queued,      ///< the last of the queue is new
    dequeued,    ///< the first of those with QoS 1 or 2 has left the queue
    unreleased,  ///< the QoS 2 message `id` of the client was taken
    released,    ///< ... and released
    cleared,     ///< a clean start: queue and unreleased are empty, no topic id is known
    gone
  };
  Kind kind = Kind::session;
  std::uint16_t id = 0;
};

/// What is under way to a client: one message at a time (section 6.1 allows no more).
struct InFlight {
  enum class Step : std::uint8_t { none, register_, publish, pubrel };
  Step step = Step::none;
  std::uint16_t message_id = 0;
  TopicKind topic_kind = TopicKind::normal;
  std::uint16_t topic_id = 0;
  int tries = 0;
  TimePoint next{};  ///< of the next retransmission
};

/// A client, from its CONNECT on; one that lost its connection keeps what it subscribed and what waits for
/// it.
struct Session {
  enum class State : std::uint8_t {
    connecting,  ///< its will is still asked for
    active,
    asleep,
    awake,  ///< it asked for what waits
    lost,   ///< silent too long: its next packet brings it back
    closed  ///< it said DISCONNECT
  };

  std::string client_id;
  Peer peer;
  bool displaced = false;  ///< another client has come from there since
  State state = State::closed;
  bool clean = true;
  Duration keep_alive{};  ///< or how long it sleeps
  TimePoint heard{};
  std::optional<Message> will;
  TopicIds topics;
  std::map<std::string, int> subscriptions;  ///< filter to QoS
  std::deque<Message> queue;                 ///< the first may be in flight
  std::size_t queued_bytes = 0;
  InFlight in_flight;
  std::uint16_t publish_id = 0;  ///< message id of the queue's first, once it was sent: it keeps it
  bool topic_refused = false;    ///< the client did not know the topic id of the queue's first
  std::uint16_t last_message_id = 0;
  std::set<std::uint16_t> unreleased;  ///< QoS 2 messages of it that were taken and not yet released
  std::map<std::uint16_t, std::uint64_t> storing;  ///< message ids that the sink owes an answer for: tickets
  std::deque<std::pair<std::uint16_t, std::size_t>> recent;  ///< QoS 1 messages taken: id and hash
  bool plain = false;                       ///< it said "not supported" to DUP or RETAIN: gets neither
  TimePoint deadline = TimePoint::max();    ///< under which it is filed for the next tick; max: not at all
  TimePoint idle_since = TimePoint::max();  ///< under which it is filed as unconnected; max: not at all

  [[nodiscard]] bool reachable() const { return state == State::active || state == State::awake; }
};

}  // namespace aiot::mqttsn
