#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/mqtt/session.h"

struct mosquitto;

namespace aiot::mqtt {

class TlsContext;

/// A CONNACK, with what of it binds a publisher.
struct Connack {
  int code = 0;  ///< MQTT 3.1.1's return code, or MQTT 5's reason code
  bool present = false;
  std::optional<std::uint16_t> receive_maximum;
  std::optional<std::uint32_t> maximum_packet_size;
  std::string reason;  ///< the server's own words
};

/// What a Handle tells. Called from inside libmosquitto: nothing may destroy the handle there.
class HandleEvents {
 public:
  virtual ~HandleEvents() = default;
  virtual void on_connack(const Connack& connack) = 0;
  /// QoS 0: written; else acknowledged, `reason` 0x80 and above when it was refused.
  virtual void on_published(int mid, int reason) = 0;
  virtual void on_message(Message message) = 0;
  virtual void on_suback(int mid, const std::vector<int>& codes) = 0;
  /// `code`: libmosquitto's error (MOSQ_ERR_...) or, from 0x80, the server's reason; the socket is closed in
  /// this turn.
  virtual void on_closed(int code) = 0;
};

/// One libmosquitto client over a socket that was connected for it. In its "threaded" mode, so that nothing
/// is written but by write(): what is queued can wait, and leaves in batches.
class Handle {
 public:
  static Result<std::unique_ptr<Handle>> make(const SessionOptions& options, const std::string& client_id,
                                              Version version, TlsContext* tls, HandleEvents& events);
  ~Handle();
  Handle(const Handle&) = delete;
  Handle& operator=(const Handle&) = delete;

  /// Takes `fd`, a connected socket, and queues CONNECT. What an earlier connection left unacknowledged is
  /// sent again after the CONNACK.
  Result<void> attach(int fd);
  /// -1 when closed.
  [[nodiscard]] int socket() const;
  [[nodiscard]] bool wants_write() const;

  // libmosquitto's error codes; anything but 0 was told with on_closed().
  int read();   ///< all that is there, up to a bound
  int write();  ///< all that is queued, as far as the socket takes it
  int keep_alive();

  /// The packet identifier, also of a QoS 0 message.
  Result<int> publish(const Message& message);
  /// One SUBSCRIBE for all of `filters`; the packet identifier.
  Result<int> subscribe(const std::vector<std::string>& filters, const SubscribeOptions& options);
  void unsubscribe(const std::string& filter);
  /// Queues DISCONNECT: write() closes then.
  void disconnect();
  /// Closes without another word: the server publishes the will and sends again what it has no answer to.
  void drop();

 private:
  struct Callbacks;
  explicit Handle(HandleEvents& events) : events_(events) {}
  Result<void> configure(const SessionOptions& options);
  /// libmosquitto does not tell of every socket that it closes.
  int told(int rc);

  HandleEvents& events_;
  TlsContext* tls_ = nullptr;
  struct mosquitto* mosq_ = nullptr;
  bool closed_told_ = true;
  bool v5_ = true;
  std::uint16_t keep_alive_ = 30;
  std::uint32_t max_packet_ = 0;
  std::optional<std::uint32_t> session_expiry_;
};

/// MOSQ_ERR_... or a reason code in words.
[[nodiscard]] std::string reason_text(int code);
/// What a connection that ended so is called.
[[nodiscard]] Error closed_error(int code, const std::string& where);
/// The error of a CONNACK that refuses; `v5` says whose codes they are.
[[nodiscard]] Error connack_error(const Connack& connack, bool v5, const std::string& where);

}  // namespace aiot::mqtt
