#pragma once

#include <coap3/coap.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/coap/client_security.h"
#include "core/coap/coap_client.h"
#include "core/coap/context.h"
#include "core/coap/message.h"

/// Inside the room only: the client's sessions of libcoap, spread over contexts.
namespace aiot::coap {

/// Where a session goes: sessions are shared by all requests of one endpoint.
struct Endpoint {
  SocketAddress remote;
  SocketAddress local;  ///< empty for any
  bool tcp = false;
  /// coaps: the host that the URI names, which its certificate must name too. With `local`, the session that
  /// the host itself has opened with the server there.
  std::string secure;
  friend bool operator==(const Endpoint&, const Endpoint&) = default;
  struct Hash {
    std::size_t operator()(const Endpoint& at) const {
      return at.remote.hash() * 31 + at.local.hash() * 7 + (at.tcp ? 1 : 0);
    }
  };
};

/// What happened to a session.
struct SessionEvent {
  enum class Kind : std::uint8_t {
    open,       ///< connected: TCP's capabilities are exchanged, DTLS's handshake is done
    message,    ///< a response came
    refused,    ///< UDP: the host answered that nobody listens there (ICMP)
    reset,      ///< the peer reset the message `message_id`
    gave_up,    ///< libcoap's retransmissions of `message_id` are exhausted
    closed,     ///< TCP, DTLS: the connection failed or ended
    malformed,  ///< a datagram came that is no CoAP message
  };
  Kind kind = Kind::message;
  Message message;
  std::uint16_t message_id = 0;
  SocketAddress from;   ///< of a message: whoever sent it
  std::string refused;  ///< of closed: why there is no trust between the two; empty for other reasons
};

/// Who uses a session. on_event() runs on a turn of its own, never inside libcoap.
class SessionUser {
 public:
  virtual ~SessionUser() = default;
  virtual void on_event(SessionEvent event) = 0;
  /// Asked inside libcoap: does anybody wait for `token`? What nobody waits for is reset.
  [[nodiscard]] virtual bool knows_token(std::string_view token) const = 0;
};

class SessionPool;

/// One client session of libcoap. Destroying it closes it and drops what it still retransmits.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
  ~Session();

  [[nodiscard]] bool open() const { return open_; }
  /// DTLS, TLS: the peer has begun a handshake that is not done.
  [[nodiscard]] bool handshake_under_way() const { return shaking_ && !open_; }
  /// Sends; the message's id is chosen here and returned. Errc::unreachable or internal otherwise, and then
  /// nothing left.
  Result<std::uint16_t> send(const Message& message);
  /// Stops retransmitting whatever is still out.
  void drop_outstanding();
  /// The shortest wait for an acknowledgement libcoap will use from now on (RFC 7252 ACK_TIMEOUT).
  void set_ack_timeout(int seconds);
  /// Bytes of payload that surely fit into one message.
  [[nodiscard]] std::size_t max_single() const;
  [[nodiscard]] SocketAddress remote() const;
  /// Sends to IPv6 groups out of the interface of this index; false when that cannot be set.
  bool set_multicast_interface(unsigned index);
  /// Closes now; no event follows.
  void close();

 private:
  friend class SessionPool;
  friend tls::ClientContext* tls_of(const coap_session_t* session);
  friend void note_handshake(const coap_session_t* session);
  friend void note_alert(const coap_session_t* session, const char* why);
  /// Of a session that a server has accepted.
  static constexpr std::size_t kBorrowed = ~std::size_t(0);

  Session(SessionPool& pool, std::size_t shard, coap_session_t* handle, SessionUser& user,
          const Endpoint& to);
  [[nodiscard]] bool borrowed() const { return shard_ == kBorrowed; }
  /// Gives the handle back to libcoap.
  void release(coap_session_t* handle);

  SessionPool* pool_;
  std::size_t shard_;
  coap_session_t* handle_;
  SessionUser* user_;
  bool tcp_;
  bool secure_;
  std::shared_ptr<tls::ClientContext> tls_;  ///< with certificates
  bool open_;
  bool shaking_ = false;
  std::string alert_;  ///< with which the peer ended the handshake
  /// Why there is no trust between the two, after a handshake that came to nothing; empty when it did not
  /// begin.
  [[nodiscard]] std::string distrust() const;
};

/// Makes sessions and carries what libcoap tells of them to their users.
class SessionPool {
 public:
  /// `wake` is called (perhaps inside libcoap) when there are events to deliver with dispatch().
  SessionPool(EventLoop& loop, const ClientLimits& limits, ClientSecurity security,
              UniqueFunction<void()> wake);
  SessionPool(const SessionPool&) = delete;
  SessionPool& operator=(const SessionPool&) = delete;
  ~SessionPool();

  /// A session to `to`; for a multicast address one that hears many. On TCP it is open() only after an event.
  /// Errc::unreachable: no route, refused at once; Errc::internal with EMFILE or ENFILE: no descriptors left.
  Result<std::shared_ptr<Session>> make(const Endpoint& to, SessionUser& user);
  /// Delivers the events that wait; true when there were any.
  bool dispatch();
  [[nodiscard]] std::size_t size() const { return sessions_; }
  /// Drops every context. Sessions must be closed before.
  void close();

  /// Sessions that the listeners of a server's `context` accept may be used from now on; the server passes on
  /// what on_event() is to hear, and lets go of each before the context does.
  static void borrow_from(coap_context_t* context);
  static int on_event(coap_session_t* handle, coap_event_t event) noexcept;
  static void let_go(coap_session_t* handle);

 private:
  friend class Session;
  struct Shard {
    SessionPool* pool = nullptr;
    bool secure = false;  ///< libcoap keeps keys with the context: plain sessions have others
    std::unique_ptr<Context> context;
    std::vector<Session*> sessions;
  };
  struct Waiting {
    std::weak_ptr<Session> session;
    SessionEvent event;
  };

  Result<std::size_t> shard_with_room(bool secure);
  /// The session that the server at `to.local` has open with `to.remote`.
  Result<std::shared_ptr<Session>> borrow(const Endpoint& to, SessionUser& user);
  void released(Session& session);
  void put(Session& session, SessionEvent event);
  void on_notice(Shard& shard, SessionEvent::Kind kind, std::string_view peer);
  static Session* session_of(coap_session_t* session);
  static coap_response_t on_response(coap_session_t* handle, const coap_pdu_t* sent,
                                     const coap_pdu_t* received, coap_mid_t id) noexcept;
  static void on_nack(coap_session_t* handle, const coap_pdu_t* sent, coap_nack_reason_t reason,
                      coap_mid_t id) noexcept;

  EventLoop& loop_;
  ClientLimits limits_;
  ClientSecurity security_;
  UniqueFunction<void()> wake_;
  std::vector<std::unique_ptr<Shard>> shards_;
  std::vector<Session*> borrowed_;
  std::vector<Waiting> inbox_;
  std::size_t sessions_ = 0;
};

}  // namespace aiot::coap
