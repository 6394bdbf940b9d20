#pragma once

#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/log.h"
#include "core/mqttsn/session.h"
#include "core/mqttsn/topic.h"

namespace aiot::mqttsn {

/// Names a message that was handed over until it is known to be stored.
using Ticket = std::uint64_t;

struct GatewayOptions {
  std::uint8_t gateway_id = 1;
  Duration retry_after = std::chrono::seconds(10);                ///< Tretry (section 7.2)
  int retries = 4;                                                ///< Nretry; negative: no limit
  std::vector<std::pair<std::uint16_t, std::string>> predefined;  ///< topic ids configured at both ends
  bool trust_first_use = false;         ///< a client id stays with the host that used it first,
  std::vector<std::string> released;    ///< unless it matches one of these patterns
  std::size_t sessions = 65'536;        ///< of all clients, connected or not; the longest silent gives way
  std::size_t topics = 4'096;           ///< of a client
  std::size_t subscriptions = 1'024;    ///< of a client
  std::size_t queued_messages = 1'024;  ///< that wait for a client
  std::size_t queued_bytes = 256UL * 1024;  ///< of these
  std::size_t total_queued_bytes = 128UL * 1024 * 1024;
};

enum class GatewayDrop : std::uint8_t {
  malformed,
  not_connected,
  unknown_topic_id,
  bad_topic,
  queue_full,
  limit,
  not_stored,
  refused_by_client,
  expired,
};
inline constexpr std::size_t kGatewayDrops = 9;
[[nodiscard]] std::string_view to_string(GatewayDrop reason);

struct GatewayCounters {
  std::uint64_t received = 0;   ///< datagrams
  std::uint64_t published = 0;  ///< messages taken from clients
  std::uint64_t delivered = 0;  ///< messages that clients have (QoS 0: that were sent)
  std::uint64_t duplicates = 0;
  std::uint64_t retransmissions = 0;
  std::uint64_t dropped[kGatewayDrops] = {};
  std::size_t sessions = 0, connected = 0, queued = 0;
};

/// What the core has done by others. Nothing here may call the core back before it returns.
class GatewayEffects {
 public:
  virtual ~GatewayEffects() = default;
  virtual void send(const Peer& to, std::string datagram) = 0;
  /// A client's message (or will). GatewayCore::stored() follows for a ticket other than 0, and only then is
  /// it acknowledged.
  virtual void publish(Ticket ticket, const std::string& client_id, Message message) = 0;
  /// The first subscription to `filter` of any client, or the last is gone.
  virtual void subscribe(const std::string& filter) = 0;
  virtual void unsubscribe(const std::string& filter) = 0;
  /// `client_id` subscribed `filter`: wants what is retained under it, by GatewayCore::deliver_to().
  virtual void wants_retained(const std::string& client_id, const std::string& filter, int qos) = 0;
  /// Something of the session is worth saving, before the datagrams of this turn leave.
  virtual void changed(const Session& session, SessionChange change) = 0;
};

/// The gateway of MQTT-SN 1.2 towards its clients, any number of them. Pure: it knows no socket, no clock and
/// no broker; datagrams and messages come in with their time, GatewayEffects go out.
class GatewayCore {
 public:
  GatewayCore(GatewayOptions options, GatewayEffects& effects);
  ~GatewayCore();

  void received(const SocketAddress& from, std::string_view datagram, TimePoint now);
  /// A message for whoever subscribed its topic; how many clients did.
  std::size_t deliver(const Message& message, TimePoint now);
  void deliver_to(const std::string& client_id, Message message, TimePoint now);
  /// The answer to GatewayEffects::publish.
  void stored(Ticket ticket, bool ok);
  /// Time passes; when the next call is due, at the latest.
  TimePoint tick(TimePoint now);
  /// A session of an earlier run, with its state, queue and ids.
  void restore(Session session, TimePoint now);
  /// What names the message of a ticket when its client repeats it; nothing for one that is answered.
  [[nodiscard]] std::optional<std::pair<std::uint16_t, std::uint64_t>> name_of(Ticket ticket) const;
  /// A client's message of an earlier run was stored, although it may not have been answered: its repeat is
  /// answered and not published again. After restore(), oldest first.
  void remember(const std::string& client_id, std::uint16_t message_id, std::uint64_t hash);
  /// To all, every so often and on its own accord (section 6.1).
  [[nodiscard]] std::string advertisement(std::uint16_t seconds) const;

  [[nodiscard]] GatewayCounters counters() const;
  [[nodiscard]] const Session* find(const std::string& client_id) const;

 private:
  friend class Delivery;
  struct Storing {
    std::string client_id;
    std::uint16_t message_id = 0;
    std::uint16_t topic_id = 0;
    int qos = 0;
    std::size_t hash = 0;
  };

  void handle(const Peer& from, Packet& packet, TimePoint now);
  void handle_of(Session& session, Packet& packet, TimePoint now);
  void searched(const Peer& from);
  void connect(const Peer& from, Packet& packet, TimePoint now);
  /// By trust on first use the client is another host's.
  [[nodiscard]] bool is_strange(const Session& session, const Peer& from) const;
  void connected(Session& session, TimePoint now);
  void will_topic(Session& session, Packet& packet, TimePoint now);
  void will_message(Session& session, Packet& packet, TimePoint now);
  void register_topic(Session& session, const Packet& packet);
  void publish(Session& session, Packet& packet);
  void publish_unconnected(const Peer& from, Packet& packet);
  void release(Session& session, const Packet& packet);
  void subscribe(Session& session, const Packet& packet, TimePoint now);
  void unsubscribe(Session& session, const Packet& packet);
  void ping(const Peer& from, Packet& packet, TimePoint now);
  void disconnect(Session& session, const Packet& packet);

  [[nodiscard]] Session* at(const Peer& peer);
  void bind(Session& session, const Peer& peer);
  void unbind(Session& session);
  /// Silent too long, or its place was taken: its will is published, what waits is kept.
  void lose(Session& session);
  void forget(Session& session);
  void forget_subscriptions(Session& session);
  void drop_subscription(Session& session, const std::string& filter);
  /// Turns out the longest silent of the unconnected when all places are taken; false when there is none.
  bool make_room();
  /// A datagram can carry it to a client; else it is counted.
  [[nodiscard]] bool fits(const Message& message);
  [[nodiscard]] const std::string* predefined_name(std::uint16_t id) const;
  /// The topic that a PUBLISH names; empty when nobody knows it.
  [[nodiscard]] std::string topic_of(const Session* session, const Packet& packet) const;
  void send(const Peer& to, const Packet& packet) { effects_.send(to, encode(to, packet)); }
  [[nodiscard]] static std::string encode(const Peer& to, const Packet& packet);
  void drop(GatewayDrop reason) { ++counters_.dropped[static_cast<std::size_t>(reason)]; }
  void complain(const Peer& from, GatewayDrop reason, std::string_view what);
  /// When the session is lost if it stays silent.
  [[nodiscard]] static TimePoint expiry(const Session& session);
  [[nodiscard]] static TimePoint retransmission(const Session& session);
  /// Has tick() look at the session when either comes.
  void file(Session& session);
  void saved(const Session& session, SessionChange::Kind kind = SessionChange::Kind::session,
             std::uint16_t id = 0) {
    effects_.changed(session, {kind, id});
  }

  GatewayOptions options_;
  GatewayEffects& effects_;
  GatewayCounters counters_;
  std::unique_ptr<class Delivery> delivery_;
  std::unordered_map<std::string, std::unique_ptr<Session>> sessions_;
  std::unordered_map<Peer, Session*, PeerHash> peers_;
  std::set<std::pair<TimePoint, Session*>> due_;
  std::set<std::pair<TimePoint, Session*>> idle_;  ///< not connected, longest silent first
  SubscriptionTree<Session> subscriptions_;
  std::unordered_map<std::string, std::size_t> filters_;  ///< how many clients subscribed each
  std::unordered_map<Ticket, Storing> storing_;
  Ticket last_ticket_ = 0;
  log::Limiter complaints_{10};
};

}  // namespace aiot::mqttsn
