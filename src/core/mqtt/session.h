#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/completion.h"
#include "core/base/time.h"

namespace aiot {

class EventLoop;

namespace mqtt {

/// One PUBLISH (MQTT 5 section 3.3; what 3.1.1 has no word for is left out there).
struct Message {
  std::string topic;
  std::string payload;
  int qos = 0;
  std::uint16_t id = 0;  ///< of a received one at QoS 1 and 2: its packet identifier
  bool retain = false;   ///< of a received one: it was retained before we subscribed
  std::string content_type;
  std::string response_topic;
  std::string correlation_data;
  std::optional<std::chrono::seconds> expiry;
  std::vector<std::pair<std::string, std::string>> user_properties;
  /// Of a received one: the identifiers of the subscriptions that it matched, as far as the server tells.
  std::vector<std::uint32_t> subscriptions;
};

enum class Version : std::uint8_t {
  automatic,  ///< 5.0, and 3.1.1 with a broker that refuses that
  v311,
  v5
};

struct TlsOptions {
  std::string ca_file;    ///< PEM; empty: the system's authorities (or SSL_CERT_FILE's)
  std::string cert_file;  ///< the client's certificate, PEM; empty for none
  std::string key_file;
  std::vector<std::string> alpn;
};

struct SessionOptions {
  std::string host;
  std::uint16_t port = 1883;
  std::optional<TlsOptions> tls;
  Version version = Version::automatic;
  std::string client_id;    ///< empty: a unique one is made up
  bool clean_start = true;  ///< false: the broker keeps what comes while we are away
  /// Of a kept session (MQTT 5 section 3.1.2.11.2); 0: as long as the broker likes.
  std::chrono::seconds expiry{0};
  std::string user, password;
  std::optional<Message> will;
  std::chrono::seconds keep_alive{30};
  Duration timeout = std::chrono::seconds(10);  ///< name, connect and CONNACK together
  std::size_t window = 256;                     ///< QoS 1 and 2 messages on their way at once, at most 65,535
  std::size_t max_queued = 10'000;              ///< messages that wait for the window or for a connection
  std::size_t max_queued_bytes = 16UL * 1024 * 1024;
  std::size_t max_packet = 1024 * 1024;  ///< received; a larger one is dropped, and counted
  bool retry = true;  ///< connect again, with growing jittered waits; else a failure ends the session
};

struct SubscribeOptions {
  int qos = 1;
  bool no_local = false;  ///< not our own messages (MQTT 5 only)
  bool retained = true;   ///< also what is retained now
  bool retain_as_published = false;
  std::uint32_t identifier = 0;  ///< MQTT 5 section 3.8.2.1.2; 0: none
};

struct SessionCounters {
  std::uint64_t published = 0;     ///< handed over by publish()
  std::uint64_t acknowledged = 0;  ///< QoS 0: written to the connection
  std::uint64_t failed = 0;        ///< refused, or given up
  std::uint64_t received = 0;
  std::uint64_t dropped = 0;  ///< received and larger than max_packet, or malformed
  std::uint64_t connects = 0;
  std::uint64_t failures = 0;  ///< of attempts, and connections lost
  std::size_t queued = 0;      ///< publishes without their acknowledgement
};

/// One client at an MQTT broker. Subscriptions and unacknowledged QoS 1 and 2 messages outlive connections:
/// all are sent again on the next. Callbacks run on turns of their own; destroying the session ends it (with
/// DISCONNECT) without any.
class Session {
 public:
  struct Callbacks {
    /// CONNACK; `present`: the broker had kept the session. What retained messages come from subscriptions
    /// made anew then.
    UniqueFunction<void(bool present)> connected;
    /// A connection or an attempt ended: unreachable, timeout, unauthorized (bad credentials, not
    /// authorized, TLS), rejected (another CONNACK code, in `native`), peer_failed (protocol error). With
    /// SessionOptions::retry the next attempt follows by itself.
    UniqueFunction<void(const Error& why)> disconnected;
    /// In the order of arrival. The PUBACK leaves only when `stored` was called with success. It cannot be
    /// held back alone: what was read in one turn is acknowledged together, and until then nothing is written
    /// or read (5 s at most). Dropped or failed, the message is not acknowledged: a connection of a kept
    /// session (clean_start false) is given up, and it comes again with the next; without one nothing would
    /// come again, and the session goes on. At QoS 2 this holds back PUBCOMP, not PUBREC (libmosquitto hands
    /// a message over at PUBREL), and what could not be stored does not come again: subscribe at QoS 1 where
    /// that matters.
    UniqueFunction<void(Message message, Completion<> stored)> received;
    /// queued() came down below max_queued / 2 after publish() had refused.
    UniqueFunction<void()> writable;
  };
  static std::unique_ptr<Session> make(EventLoop& loop, SessionOptions options, Callbacks callbacks);
  virtual ~Session() = default;

  /// Errc::usage for options that cannot be used, Errc::internal for files that cannot be read.
  virtual Result<void> start() = 0;
  /// `filter` from now on, now and after each reconnect, until unsubscribe(); the first answer is told:
  /// rejected for SUBACK 0x80 and above. Made anew for a filter that is there, it sends SUBSCRIBE again.
  virtual void subscribe(const std::string& filter, SubscribeOptions options, Completion<> done) = 0;
  virtual void unsubscribe(const std::string& filter) = 0;
  /// `done` when the broker has acknowledged it (QoS 1: PUBACK, 2: PUBCOMP) or, at QoS 0, the connection has
  /// taken it. Fails with Errc::rejected when the broker refused it (reason code in `native`), and at once
  /// with Errc::usage for a topic that is none or a message above the broker's limit, with
  /// Errc::unreachable when too many wait (max_queued), or when the session ends.
  virtual void publish(Message message, Completion<> done) = 0;
  /// Sends what is queued, as far as `deadline` allows, then DISCONNECT; `done` when it is closed.
  virtual void stop(Duration deadline, Completion<> done) = 0;
  [[nodiscard]] virtual bool connected() const = 0;
  /// The version in use; automatic before the first CONNACK.
  [[nodiscard]] virtual Version version() const = 0;
  [[nodiscard]] virtual SessionCounters counters() const = 0;
};

}  // namespace mqtt
}  // namespace aiot
