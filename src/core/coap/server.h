#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "core/coap/body_table.h"
#include "core/coap/coap_server.h"
#include "core/coap/context.h"
#include "core/coap/duplicate_filter.h"
#include "core/coap/exchange.h"
#include "core/coap/hello_gate.h"
#include "core/coap/known_peers.h"
#include "core/coap/listener.h"
#include "core/coap/upload_table.h"
#include "core/loop/event_loop.h"

namespace aiot::coap {

/// The CoapServer on libcoap.
///
/// Datagram listeners share one context whose idle sessions are capped: libcoap looks at every session of a
/// context for each datagram of a new peer. Nothing here hangs on a session, so it does not matter when one
/// is dropped: uploads, large replies and repeated messages are known by peer address, in tables of our own,
/// and libcoap's block handling stays switched off. TCP listeners have a context of their own, uncapped.
class Server final : public CoapServer {
 public:
  Server(EventLoop& loop, ServerOptions options, Handler handler);
  ~Server() override;
  Result<> open();

  [[nodiscard]] std::vector<SocketAddress> bound() const override;
  [[nodiscard]] ServerCounters counters() const override;
  void recheck_peers() override;
  void remember(const SocketAddress& peer, std::uint16_t message_id, std::string_view token,
                std::string_view payload, const ServerReply& reply) override;

  /// A request that came to a client's socket which shares a server's address and port: handled as if it had
  /// come to the server's own. False when no server is there.
  static bool serve_stray(coap_session_t* session, const coap_pdu_t* request, coap_pdu_t* response);

  /// The session that `remote` has open on DTLS or TLS with the server that listens at `local`; null when
  /// there is none.
  static coap_session_t* secured_session(const SocketAddress& local, const SocketAddress& remote);
  /// libcoap gave up a message to a peer, or the peer rejected it: to a ping that is the answer (RFC 7252
  /// section 4.3).
  static void on_nack(coap_session_t* session, const coap_pdu_t* sent, coap_nack_reason_t reason,
                      coap_mid_t id) noexcept;

  /// Answers, once and for all, and takes the exchange back.
  void reply(Exchange& exchange, const ServerReply& reply);

 private:
  /// The longest an answer to a multicast request waits (RFC 7252 section 8.2 leaves the choice to us).
  static constexpr Duration kLeisure = std::chrono::seconds(1);
  struct Parsed;
  struct Running {
    bool gone = false;
    Handler handler;
  };
  /// A reply to a multicast request that waits for its random moment.
  struct AtLeisure {
    SessionRef session;
    coap_pdu_t* pdu = nullptr;
    std::unique_ptr<Timer> timer;
  };

  /// A session on DTLS or TLS whose peer has proved who it is.
  struct Secured {
    coap_session_t* session = nullptr;
    std::string identity;
    std::uint64_t hello = 0;  ///< that it began with, by the gate's name
  };

  /// A stream whose peer has not said yet what CoAP begins with: its CSM, or over TLS the handshake.
  struct SilentStream {
    coap_session_t* session = nullptr;
    TimePoint since;
  };

  /// The servers of this thread's loop.
  static std::vector<Server*>& all();
  Result<> open_context(bool tcp, const std::vector<SocketAddress>& addresses, std::unique_ptr<Context>& out);
  Result<> join_groups(bool first);
  static void on_libcoap_request(coap_resource_t* resource, coap_session_t* session,
                                 const coap_pdu_t* request, const coap_string_t* query,
                                 coap_pdu_t* response) noexcept;

  static int on_stream_event(coap_session_t* session, coap_event_t event) noexcept;
  static int on_secure_event(coap_session_t* session, coap_event_t event) noexcept;
  Secured& secured(coap_session_t* session);
  /// Lets through the gate what waits on the DTLS listener: how many datagrams libcoap may read.
  int inspect(int most);
  /// Closes the session soon.
  void refuse_session(coap_session_t* session);
  void close_refused();

  void handle(coap_session_t* session, const coap_pdu_t* request, coap_pdu_t* response);
  void answer_repeat(const Exchange& exchange, coap_pdu_t* response);
  /// False when the request is answered already: more of its upload is to come, or it is refused.
  bool take_upload(Exchange& exchange, const Parsed& parsed, std::string& body);
  /// False when the request was for a later block of a large reply, and is answered.
  bool take_later_block(Exchange& exchange);
  void call_handler(Exchange& exchange, const Parsed& parsed, std::string_view payload);
  void answer_now(Exchange& exchange, const AnswerView& answer);
  void refuse(Exchange& exchange, std::uint8_t code, std::string_view diagnostic);

  /// Puts what was answered into the duplicate filter.
  void note_answer(Exchange& exchange, const AnswerView& answer);

  void defer(Exchange& exchange);
  /// Its answer does not leave by the call it came with.
  void detach(Exchange& exchange);
  /// Sends what fits the peer's standing, at once or when that has become clear.
  void deliver(Exchange& exchange, const ServerReply& reply);
  /// True when `reply` waits for the peer to show where he is; otherwise it is known what may be sent.
  bool await_proof(Exchange& exchange, const ServerReply& reply);
  /// The peer of the session has answered the ping, or will not.
  void settle(coap_session_t* session, bool answered);
  void release_unproved();
  void send_later(Exchange& exchange, const AnswerView& answer);
  void send_at_leisure(const Exchange& exchange, const AnswerView& answer);
  /// An answer nobody wants to hear is not sent.
  [[nodiscard]] static bool unwanted(const Exchange& exchange, std::uint8_t code);
  /// Null when memory is out.
  static coap_pdu_t* make_pdu(const Exchange& exchange, coap_pdu_type_t type, std::uint16_t id,
                              const AnswerView& answer);
  void send_empty_ack(const Exchange& exchange);
  void release_held();
  void sweep();
  void arm_sweep();

  /// What goes out for `reply`: all of it, or the block that was asked for. `etag` holds what it shows.
  AnswerView view_of(Exchange& exchange, const ServerReply& reply, std::string& etag);
  AnswerView view_of(Exchange& exchange, const Body& body);
  void name(Exchange& exchange) const;

  Exchange& take_exchange();
  void give_back(Exchange& exchange);

  EventLoop& loop_;
  ServerOptions options_;
  Handler handler_;
  ServerCounters counters_;
  std::vector<Listener> listeners_;
  std::unique_ptr<Context> datagrams_;
  std::unique_ptr<Context> streams_;
  std::unique_ptr<Timer> held_timer_;
  std::unique_ptr<Timer> unproved_timer_;
  std::unique_ptr<Timer> sweep_timer_;
  std::unique_ptr<Timer> rejoin_timer_;

  DuplicateFilter filter_;
  UploadTable uploads_;
  BodyTable bodies_;
  KnownPeers known_;
  std::vector<std::unique_ptr<Exchange>> spare_;
  ExchangeList held_;      ///< deferred, no ACK sent yet
  ExchangeList deferred_;  ///< deferred, nothing owed at once
  ExchangeList unproved_;  ///< answered by the handler, the peer was asked to show where he is
  std::list<AtLeisure> at_leisure_;
  std::unordered_map<SocketAddress, Secured> secured_;
  HelloGate gate_;
  std::string inspected_;
  std::size_t streams_open_ = 0;
  std::deque<SilentStream> silent_streams_;  ///< oldest first
  std::vector<SessionRef> refused_;          ///< closed on the next turn
  std::unique_ptr<Timer> refuse_timer_;
  Running* running_ = nullptr;
  Exchange* current_ = nullptr;  ///< the one whose handler runs, until it is answered or deferred

  // Reused from request to request.
  Peer peer_;
  std::vector<std::string_view> path_;
  std::vector<std::string_view> query_;
  std::string scratch_;
};

}  // namespace aiot::coap
