#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/base/result.h"
#include "core/base/time.h"
#include "core/mqttsn/packet.h"
#include "core/mqttsn/session.h"

namespace aiot::mqttsn {

struct ClientCoreOptions {
  std::string client_id;
  bool clean_session = true;  ///< of the first CONNECT; those after a loss go on with the session
  Duration keep_alive = std::chrono::seconds(60);  ///< 0: none
  std::optional<Message> will;
  Duration retry_after = std::chrono::seconds(10);  ///< Tretry (section 7.2)
  int retries = 4;                                  ///< Nretry; negative: no limit
  Duration congestion_wait =
      std::chrono::seconds(30);  ///< before what was refused for congestion is repeated
  bool reconnect = true;         ///< false: CONNECTs once and then goes on whatever happens, as RIOT's emcute
  bool register_each = false;    ///< REGISTERs before each PUBLISH, as RIOT's emcute
  std::vector<std::pair<std::uint16_t, std::string>> predefined;  ///< topic ids configured at both ends
  std::size_t queued = 1'024;                                     ///< what may wait to be sent
};

struct ClientCoreCounters {
  std::uint64_t sent = 0;  ///< datagrams, retransmissions included
  std::uint64_t retransmissions = 0;
  std::uint64_t received = 0;    ///< messages
  std::uint64_t duplicates = 0;  ///< messages that were there already
  std::uint64_t malformed = 0;   ///< datagrams that could not be read
  std::uint64_t connects = 0;    ///< CONNACKs that accepted
};

/// What a client tells its user, who may call it back from each of these, but not destroy it.
class ClientEvents {
 public:
  /// Names what was asked for; the caller's choice, other than 0.
  using Ticket = std::uint64_t;
  virtual ~ClientEvents() = default;
  /// The gateway accepted the connection, and all that was subscribed before is subscribed again.
  virtual void connected() = 0;
  /// It does not answer (timeout), ended the session (unreachable) or refused (rejected). A CONNECT follows
  /// by itself.
  virtual void lost(const Error& why) = 0;
  virtual void received(Message message) = 0;
  /// A publish is acknowledged (QoS 0 and -1: sent), a subscription granted; or why not.
  virtual void done(Ticket ticket, Result<> result) = 0;
  /// It sleeps: after sleep() and each time what had waited has come.
  virtual void asleep() = 0;
};

/// What the core has done by others.
class ClientEffects : public ClientEvents {
 public:
  virtual void send(std::string datagram) = 0;
};

/// One client of MQTT-SN 1.2. Pure: it knows no socket and no clock; calls and datagrams come in with their
/// time, ClientEffects go out. One exchange at a time is under way (section 6.1); the others wait in order.
class ClientCore {
 public:
  using Ticket = ClientEffects::Ticket;
  enum class State : std::uint8_t { idle, connecting, active, asleep, awake };

  ClientCore(ClientCoreOptions options, ClientEffects& effects);

  /// Connects, also from sleep; until it is connected or disconnect()ed.
  void connect(TimePoint now);
  /// Says DISCONNECT, waits for nothing and forgets what is queued.
  void disconnect(TimePoint now);
  /// Once all before it is done: DISCONNECT with this duration (up to 65,535 s).
  void sleep(Duration duration, TimePoint now);
  /// From sleep: PINGREQ with the client's id, upon which what waited comes, and then it sleeps on.
  void wake(TimePoint now);

  /// QoS -1 goes out at once, without a connection, to predefined and short topics only. Others wait for the
  /// connection. done() says: Errc::usage for a bad topic, timeout, rejected by the gateway, internal when
  /// too many wait.
  void publish(Ticket ticket, Message message, TimePoint now);
  void subscribe(Ticket ticket, std::string filter, int qos, TimePoint now);
  void unsubscribe(Ticket ticket, std::string filter, TimePoint now);

  void received(std::string_view datagram, TimePoint now);
  /// Time passes; when the next call is due, at the latest.
  TimePoint tick(TimePoint now);

  [[nodiscard]] State state() const { return state_; }
  [[nodiscard]] std::size_t queued() const { return queue_.size(); }
  [[nodiscard]] const ClientCoreCounters& counters() const { return counters_; }
  /// Whether a message has left and only its acknowledgement is missing.
  [[nodiscard]] bool left(Ticket ticket) const;
  /// Drops what waits, or is not repeated any more; done() is not called.
  void forget(Ticket ticket, TimePoint now);

 private:
  struct Work {
    enum class Kind : std::uint8_t { publish, subscribe, unsubscribe, sleep };
    Kind kind = Kind::publish;
    Ticket ticket = 0;  ///< 0: nobody asked, as of a subscription after a reconnect
    Message message;    ///< its topic is the filter of a subscription
    Duration duration{};
    std::uint16_t message_id = 0;  ///< once it has been sent
    bool released = false;         ///< QoS 2: PUBREC came, the message is the gateway's
    bool registered = false;
    int unknown = 0;  ///< times that the gateway did not know its topic id
  };
  /// What is under way; one of the queue's first or of the client's own.
  enum class Step : std::uint8_t {
    none,
    connect,
    register_,
    publish,
    pubrel,
    subscribe,
    unsubscribe,
    ping,
    fetch,
    sleep
  };

  [[nodiscard]] static bool is_of_queue(Step step) {
    return step != Step::none && step != Step::connect && step != Step::ping && step != Step::fetch;
  }

  // client_core.cpp: what is sent and when.
  void transmit(const Packet& packet, TimePoint now);
  void begin(Step step, Packet packet, TimePoint now);
  void repeat(TimePoint now);
  void gave_up(TimePoint now);
  void begin_connect(TimePoint now);
  void pump(TimePoint now);
  void start(Work& work, TimePoint now);
  void start_publish(Work& work, TimePoint now);
  void ask(Work::Kind kind, Ticket ticket, std::string filter, int qos, TimePoint now);
  void enqueue(Work work, TimePoint now);
  /// Ends the first of the queue.
  void finish(Result<> result, TimePoint now);
  void lose(const Error& why, TimePoint now);
  [[nodiscard]] TimePoint ping_due() const;
  [[nodiscard]] TimePoint due() const;
  [[nodiscard]] std::uint16_t next_message_id();
  /// Kind and id of a topic as PUBLISH and SUBSCRIBE name it; id 0: not known, to be registered.
  [[nodiscard]] std::pair<TopicKind, std::uint16_t> topic_id(const std::string& topic) const;
  void learn(std::uint16_t id, const std::string& name);

  // client_packets.cpp: what the gateway says.
  void handle(Packet& packet, TimePoint now);
  void connack(const Packet& packet, TimePoint now);
  void registration(const Packet& packet, TimePoint now);
  void regack(const Packet& packet, TimePoint now);
  void message(Packet& packet, TimePoint now);
  void puback(const Packet& packet, TimePoint now);
  void pubrec(const Packet& packet, TimePoint now);
  void suback(const Packet& packet, TimePoint now);
  void pingresp(TimePoint now);
  void disconnected(TimePoint now);
  [[nodiscard]] bool is_answer(Step step, const Packet& packet) const {
    return step_ == step && packet.message_id == packet_.message_id;
  }
  /// Congestion: later again. True when that is what the gateway said.
  bool congested(const Packet& packet, TimePoint now);

  ClientCoreOptions options_;
  ClientEffects& effects_;
  ClientCoreCounters counters_;
  State state_ = State::idle;
  bool wanted_ = false;     ///< connect() was called: a loss is followed by a CONNECT
  bool met_ = false;        ///< connected once: the session goes on
  bool told_lost_ = false;  ///< lost() was called and connected() not since
  std::size_t resubscribing_ = 0;

  Step step_ = Step::none;
  Packet packet_;  ///< of the step, to be repeated
  int tries_ = 0;
  TimePoint next_{};  ///< of the repetition
  std::deque<Work> queue_;
  bool pumping_ = false;

  TimePoint sent_{}, heard_{}, connected_at_{};
  TimePoint connect_at_ = TimePoint::max();  ///< of the next CONNECT after a loss
  Duration backoff_{};
  std::uint16_t last_message_id_ = 0;
  std::map<std::string, int> subscriptions_;  ///< filter to QoS
  std::unordered_map<std::uint16_t, std::string> names_;
  std::unordered_map<std::string, std::uint16_t> ids_;
  std::deque<std::uint16_t> unreleased_;  ///< QoS 2 messages that came and are not yet released
  std::pair<std::uint16_t, std::size_t> last_received_{};  ///< QoS 1: id and hash
};

}  // namespace aiot::mqttsn
