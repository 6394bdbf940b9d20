#include "core/coap/session_pool.h"

#include <algorithm>
#include <cerrno>

#include "core/base/random.h"
#include "core/coap/pdu.h"
#include "core/coap/server.h"
#include "core/loop/event_loop.h"

namespace aiot::coap {
namespace {

/// Room for the largest datagram libcoap reads (COAP_RXBUFFER_SIZE); with its default of 1152 it calls larger
/// ones malformed.
constexpr unsigned kDatagram = COAP_RXBUFFER_SIZE;
/// Requests are spaced here (one at a time to a destination); libcoap must not hold back the messages that
/// cancel an observation or acknowledge.
constexpr std::uint16_t kNoHolding = 16;

Message read_pdu(const coap_pdu_t* pdu) {
  Message message;
  switch (coap_pdu_get_type(pdu)) {
    case COAP_MESSAGE_CON: message.type = Type::con; break;
    case COAP_MESSAGE_NON: message.type = Type::non; break;
    case COAP_MESSAGE_ACK: message.type = Type::ack; break;
    case COAP_MESSAGE_RST: message.type = Type::rst; break;
  }
  message.code = static_cast<std::uint8_t>(coap_pdu_get_code(pdu));
  message.message_id = static_cast<std::uint16_t>(coap_pdu_get_mid(pdu));
  message.token = token_of(pdu);
  for_each_option(
      pdu, [&](std::uint16_t number, std::string_view value) { message.add(number, std::string(value)); });
  message.payload = payload_of(pdu);
  return message;
}

/// Requests that arrive at a client's socket belong to the server whose port it shares (request_from()).
/// Without one "not now" makes their sender repeat them.
void take_request(coap_resource_t*, coap_session_t* session, const coap_pdu_t* request, const coap_string_t*,
                  coap_pdu_t* response) noexcept {
  if (Server::serve_stray(session, request, response)) return;
  coap_pdu_set_code(response, COAP_RESPONSE_CODE_SERVICE_UNAVAILABLE);
  add_uint(response, option::kMaxAge, 1);
}

void take_requests(coap_context_t* context) {
  auto* const any = coap_resource_unknown_init2(take_request, 0);
  if (any == nullptr) return;
  for (const auto method : {COAP_REQUEST_GET, COAP_REQUEST_POST, COAP_REQUEST_DELETE, COAP_REQUEST_FETCH,
                            COAP_REQUEST_PATCH, COAP_REQUEST_IPATCH})
    coap_register_request_handler(any, method, take_request);
  coap_add_resource(context, any);
}

/// libcoap reads into a buffer of a fixed size; a datagram that fills it was probably cut.
bool fills_buffer(const coap_pdu_t* pdu) {
  const auto token = token_of(pdu);
  const auto payload = payload_of(pdu);
  if (payload.empty()) return false;
  constexpr std::size_t kHeader = 4;
  return kHeader + static_cast<std::size_t>(payload.data() + payload.size() - token.data()) >= kDatagram;
}

}  // namespace

SessionPool::SessionPool(EventLoop& loop, const ClientLimits& limits, ClientSecurity security,
                         UniqueFunction<void()> wake)
    : loop_(loop), limits_(limits), security_(std::move(security)), wake_(std::move(wake)) {
  limits_.sessions_per_context = std::max<std::size_t>(limits_.sessions_per_context, 1);
}

SessionPool::~SessionPool() { close(); }

void SessionPool::close() {
  for (auto& shard : shards_) {
    while (!shard->sessions.empty()) shard->sessions.back()->close();
  }
  while (!borrowed_.empty()) borrowed_.back()->close();
  inbox_.clear();
  shards_.clear();
}

Result<std::size_t> SessionPool::shard_with_room(bool secure) {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i]->secure == secure && shards_[i]->sessions.size() < limits_.sessions_per_context) return i;
  }
  auto shard = std::make_unique<Shard>();
  shard->pool = this;
  shard->secure = secure;
  Context::Options options;
  options.all_at_once = true;
  options.notices.malformed = [this, at = shard.get()](std::string_view peer) {
    on_notice(*at, SessionEvent::Kind::malformed, peer);
  };
  options.notices.refused = [this, at = shard.get()](std::string_view peer) {
    on_notice(*at, SessionEvent::Kind::refused, peer);
  };
  auto context = Context::make(loop_, this, std::move(options));
  if (!context) return std::move(context).error();
  shard->context = std::move(*context);
  auto* const raw = shard->context->get();
  if (secure) secure_clients(shard->context->secure());
  coap_register_response_handler(raw, &SessionPool::on_response);
  coap_register_nack_handler(raw, &SessionPool::on_nack);
  coap_register_event_handler(raw, &SessionPool::on_event);
  take_requests(raw);
  shards_.push_back(std::move(shard));
  return shards_.size() - 1;
}

Result<std::shared_ptr<Session>> SessionPool::make(const Endpoint& to, SessionUser& user) {
  const bool secure = !to.secure.empty();
  if (secure && !to.local.empty()) return borrow(to, user);
  std::shared_ptr<tls::ClientContext> tls;
  if (secure && security_.psk_key.empty()) {
    auto context = tls::ClientContext::make(security_.files, to.secure);
    if (!context) return std::move(context).error();
    tls = std::move(*context);
  }
  auto index = shard_with_room(secure);
  if (!index) return std::move(index).error();
  auto& shard = *shards_[*index];
  const auto remote = to_coap(to.remote);
  coap_address_t local;
  if (!to.local.empty()) local = to_coap(to.local, to.remote.family());
  errno = 0;
  const auto* from = to.local.empty() ? nullptr : &local;
  auto* const handle =
      secure ? new_secure_session(shard.context->get(), from, remote, to.tcp, security_, tls.get())
             : coap_new_client_session(shard.context->get(), from, &remote,
                                       to.tcp ? COAP_PROTO_TCP : COAP_PROTO_UDP);
  if (handle == nullptr) {
    const int error = errno;
    auto failure = errno_error(to.remote.text(), error != 0 ? error : EHOSTUNREACH);
    const bool descriptors = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    failure.code = descriptors ? Errc::internal : Errc::unreachable;
    return failure;
  }
  coap_session_set_nstart(handle, kNoHolding);
  if (!to.tcp && !secure) coap_session_set_mtu(handle, kDatagram);
  auto session = std::shared_ptr<Session>(new Session(*this, *index, handle, user, to));
  session->tls_ = std::move(tls);
  shard.sessions.push_back(session.get());
  ++sessions_;
  return session;
}

Result<std::shared_ptr<Session>> SessionPool::borrow(const Endpoint& to, SessionUser& user) {
  auto* const handle = Server::secured_session(to.local, to.remote);
  // Never in the clear, nor by a session of our own: only its peer knows how to prove who it is.
  if (handle == nullptr || session_of(handle) != nullptr)
    return make_error(Errc::unreachable, to.remote.text() + ": its secure session is no longer open");
  coap_session_reference(handle);
  coap_session_set_nstart(handle, kNoHolding);
  auto session = std::shared_ptr<Session>(new Session(*this, Session::kBorrowed, handle, user, to));
  session->tcp_ = coap_session_get_proto(handle) == COAP_PROTO_TLS;
  session->open_ = coap_session_get_state(handle) == COAP_SESSION_STATE_ESTABLISHED;
  borrowed_.push_back(session.get());
  ++sessions_;
  return session;
}

void SessionPool::borrow_from(coap_context_t* context) {
  coap_register_response_handler(context, &SessionPool::on_response);
  coap_register_nack_handler(context, &SessionPool::on_nack);
}

void SessionPool::let_go(coap_session_t* handle) {
  auto* const session = session_of(handle);
  if (session == nullptr) return;
  SessionEvent event;
  event.kind = SessionEvent::Kind::closed;
  session->open_ = false;
  session->handle_ = nullptr;
  session->release(handle);
  session->pool_->put(*session, std::move(event));
}

void SessionPool::released(Session& session) {
  auto& list = session.borrowed() ? borrowed_ : shards_[session.shard_]->sessions;
  const auto at = std::find(list.begin(), list.end(), &session);
  if (at == list.end()) return;
  *at = list.back();
  list.pop_back();
  --sessions_;
}

void SessionPool::put(Session& session, SessionEvent event) {
  inbox_.push_back({session.weak_from_this(), std::move(event)});
  if (inbox_.size() == 1) wake_();
}

bool SessionPool::dispatch() {
  if (inbox_.empty()) return false;
  auto events = std::exchange(inbox_, {});
  for (auto& waiting : events) {
    const auto session = waiting.session.lock();
    if (!session || session->user_ == nullptr) continue;
    session->user_->on_event(std::move(waiting.event));
  }
  return true;
}

/// libcoap names a peer in its log only, and not always. Unnamed, a notice counts where it cannot be meant
/// for another: the context has one session.
void SessionPool::on_notice(Shard& shard, SessionEvent::Kind kind, std::string_view peer) {
  Session* meant = nullptr;
  if (peer.empty()) {
    if (shard.sessions.size() == 1) meant = shard.sessions.front();
  } else if (const auto address = SocketAddress::parse(peer)) {
    for (auto* session : shard.sessions) {
      // The log leaves zones out.
      const auto remote = session->remote();
      const auto host = remote.host();
      if (remote.port() == address->port() && host.substr(0, host.find('%')) == address->host())
        meant = session;
    }
  }
  if (meant == nullptr) return;
  SessionEvent event;
  event.kind = kind;
  put(*meant, std::move(event));
}

Session* SessionPool::session_of(coap_session_t* session) {
  return static_cast<Session*>(coap_session_get_app_data(session));
}

coap_response_t SessionPool::on_response(coap_session_t* handle, const coap_pdu_t*,
                                         const coap_pdu_t* received, coap_mid_t) noexcept {
  auto* const session = session_of(handle);
  if (session == nullptr || session->user_ == nullptr) return COAP_RESPONSE_FAIL;
  if (!session->user_->knows_token(token_of(received))) {
    // A reset ends an observation nobody wants (RFC 7641 section 3.6); a late answer is just late.
    const bool acknowledgement = coap_pdu_get_type(received) == COAP_MESSAGE_ACK;
    const bool notification = bytes_option(received, option::kObserve).has_value();
    return notification && !acknowledgement ? COAP_RESPONSE_FAIL : COAP_RESPONSE_OK;
  }
  SessionEvent event;
  if (!session->tcp_ && fills_buffer(received)) {
    event.kind = SessionEvent::Kind::malformed;
  } else {
    event.message = read_pdu(received);
    event.from = from_coap(*coap_session_get_addr_remote(handle));
  }
  session->pool_->put(*session, std::move(event));
  return COAP_RESPONSE_OK;
}

void SessionPool::on_nack(coap_session_t* handle, const coap_pdu_t* sent, coap_nack_reason_t reason,
                          coap_mid_t id) noexcept {
  // A client sends no pings: it was a server, to whom the socket's peer spoke (take_requests).
  if (sent != nullptr && coap_pdu_get_code(sent) == COAP_EMPTY_CODE)
    return Server::on_nack(handle, sent, reason, id);
  auto* const session = session_of(handle);
  if (session == nullptr) return;
  SessionEvent event;
  event.message_id = static_cast<std::uint16_t>(id);
  switch (reason) {
    case COAP_NACK_TOO_MANY_RETRIES: event.kind = SessionEvent::Kind::gave_up; break;
    case COAP_NACK_RST: event.kind = SessionEvent::Kind::reset; break;
    case COAP_NACK_ICMP_ISSUE: event.kind = SessionEvent::Kind::refused; break;
    default: event.kind = SessionEvent::Kind::closed; break;
  }
  session->pool_->put(*session, std::move(event));
}

int SessionPool::on_event(coap_session_t* handle, coap_event_t kind) noexcept {
  auto* const session = session_of(handle);
  if (session == nullptr) return 0;
  SessionEvent event;
  switch (kind) {
    case COAP_EVENT_DTLS_CONNECTED:
      if (session->tcp_) return 0;  // capabilities are still to be exchanged
      [[fallthrough]];
    case COAP_EVENT_SESSION_CONNECTED:
      // libcoap calls the session open only after this returns; the event is delivered a turn later.
      session->open_ = true;
      event.kind = SessionEvent::Kind::open;
      break;
    case COAP_EVENT_DTLS_ERROR:
    case COAP_EVENT_DTLS_CLOSED:
    case COAP_EVENT_TCP_CLOSED:
    case COAP_EVENT_TCP_FAILED:
    case COAP_EVENT_SESSION_CLOSED:
    case COAP_EVENT_SESSION_FAILED:
      event.refused = session->distrust();
      session->open_ = false;
      event.kind = SessionEvent::Kind::closed;
      break;
    default: return 0;
  }
  session->pool_->put(*session, std::move(event));
  return 0;
}

}  // namespace aiot::coap
