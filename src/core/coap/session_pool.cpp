#include "core/coap/session_pool.h"

#include <dirent.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>

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
constexpr std::size_t kTcpMargin = 2048;
constexpr std::size_t kBlockSize = 1024;

coap_pdu_type_t pdu_type(Type type) {
  switch (type) {
    case Type::con: return COAP_MESSAGE_CON;
    case Type::non: return COAP_MESSAGE_NON;
    case Type::ack: return COAP_MESSAGE_ACK;
    case Type::rst: return COAP_MESSAGE_RST;
  }
  return COAP_MESSAGE_CON;
}

struct PduDeleter {
  void operator()(coap_pdu_t* pdu) const { coap_delete_pdu(pdu); }
};
using PduPtr = std::unique_ptr<coap_pdu_t, PduDeleter>;

PduPtr build_pdu(coap_session_t* session, const Message& message) {
  PduPtr pdu(coap_pdu_init(pdu_type(message.type), static_cast<coap_pdu_code_t>(message.code),
                           coap_new_message_id(session), coap_session_max_pdu_size(session)));
  if (!pdu) return nullptr;
  if (coap_add_token(pdu.get(), message.token.size(), bytes(message.token)) == 0) return nullptr;
  auto options = message.options;
  std::stable_sort(options.begin(), options.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  for (const auto& [number, value] : options) {
    if (!add_bytes(pdu.get(), number, value)) return nullptr;
  }
  if (!message.payload.empty() &&
      coap_add_data(pdu.get(), message.payload.size(), bytes(message.payload)) == 0)
    return nullptr;
  return pdu;
}

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

// ---- Session ----

Session::Session(SessionPool& pool, std::size_t shard, coap_session_t* handle, SessionUser& user, bool tcp)
    : pool_(&pool), shard_(shard), handle_(handle), user_(&user), tcp_(tcp), open_(!tcp) {
  coap_session_set_app_data(handle_, this);
}

Session::~Session() { close(); }

void Session::close() {
  auto* const handle = std::exchange(handle_, nullptr);
  user_ = nullptr;
  open_ = false;
  if (handle == nullptr) return;
  coap_session_set_app_data(handle, nullptr);
  // What is being retransmitted holds a reference of its own, and would go on until it gave up.
  coap_session_disconnected(handle, COAP_NACK_NOT_DELIVERABLE);
  coap_session_release(handle);
  pool_->released(*this);
}

void Session::drop_outstanding() {
  if (handle_ == nullptr || tcp_) return;
  // libcoap has no public call to drop one message. On UDP this drops them all and leaves the session
  // standing. (It also lets other sessions of the context retransmit a little early, which does no harm.)
  coap_session_set_app_data(handle_, nullptr);
  coap_session_disconnected(handle_, COAP_NACK_NOT_DELIVERABLE);
  coap_session_set_app_data(handle_, this);
}

void Session::set_ack_timeout(int seconds) {
  if (handle_ != nullptr)
    coap_session_set_ack_timeout(handle_, coap_fixed_point_t{static_cast<std::uint16_t>(seconds), 0});
}

std::size_t Session::max_single() const {
  if (!tcp_ || handle_ == nullptr || !open_) return kBlockSize;
  const auto most = coap_session_max_pdu_size(handle_);
  return most > kBlockSize + kTcpMargin ? most - kTcpMargin : kBlockSize;
}

SocketAddress Session::remote() const {
  if (handle_ == nullptr) return {};
  return from_coap(*coap_session_get_addr_remote(handle_));
}

/// libcoap keeps its descriptors to itself, so the one bound to this session's own port is looked for.
bool Session::set_multicast_interface(unsigned index) {
  if (handle_ == nullptr) return false;
  const auto wanted = from_coap(*coap_session_get_addr_local(handle_));
  DIR* const directory = opendir("/proc/self/fd");
  if (directory == nullptr) return false;
  bool set = false;
  while (const dirent* entry = readdir(directory)) {
    const int fd = std::atoi(entry->d_name);
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (fd <= 2 || getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    if (address.ss_family != AF_INET6) continue;
    if (SocketAddress::from(reinterpret_cast<const sockaddr*>(&address), size).port() != wanted.port())
      continue;
    // A stream socket of the same port refuses this, or does not mind it.
    if (setsockopt(fd, IPPROTO_IPV6, IPV6_MULTICAST_IF, &index, sizeof index) == 0) set = true;
  }
  closedir(directory);
  return set;
}

Result<std::uint16_t> Session::send(const Message& message) {
  if (handle_ == nullptr) return make_error(Errc::unreachable, "the connection is closed");
  // A datagram socket tells a failure of the past at the next send: the second try is the one that counts.
  for (int attempt = 0;; ++attempt) {
    auto pdu = build_pdu(handle_, message);
    if (!pdu) return make_error(Errc::usage, "the request does not fit into a CoAP message");
    const auto id = static_cast<std::uint16_t>(coap_pdu_get_mid(pdu.get()));
    errno = 0;
    if (coap_send(handle_, pdu.release()) != COAP_INVALID_MID) return id;
    const int error = errno;
    if (attempt == 0 && error == ECONNREFUSED && !tcp_) continue;
    if (error == EAGAIN || error == ENOBUFS)
      return make_error(Errc::internal, "the system has no room to send", error);
    auto failure = errno_error("cannot send", error != 0 ? error : ECONNRESET);
    failure.code = Errc::unreachable;
    return failure;
  }
}

// ---- SessionPool ----

SessionPool::SessionPool(EventLoop& loop, const ClientLimits& limits, UniqueFunction<void()> wake)
    : loop_(loop), limits_(limits), wake_(std::move(wake)) {
  limits_.sessions_per_context = std::max<std::size_t>(limits_.sessions_per_context, 1);
}

SessionPool::~SessionPool() { close(); }

void SessionPool::close() {
  for (auto& shard : shards_) {
    while (!shard->sessions.empty()) shard->sessions.back()->close();
  }
  inbox_.clear();
  shards_.clear();
}

Result<std::size_t> SessionPool::shard_with_room() {
  for (std::size_t i = 0; i < shards_.size(); ++i) {
    if (shards_[i]->sessions.size() < limits_.sessions_per_context) return i;
  }
  auto shard = std::make_unique<Shard>();
  shard->pool = this;
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
  coap_register_response_handler(raw, &SessionPool::on_response);
  coap_register_nack_handler(raw, &SessionPool::on_nack);
  coap_register_event_handler(raw, &SessionPool::on_event);
  take_requests(raw);
  shards_.push_back(std::move(shard));
  return shards_.size() - 1;
}

Result<std::shared_ptr<Session>> SessionPool::make(const Endpoint& to, SessionUser& user) {
  auto index = shard_with_room();
  if (!index) return std::move(index).error();
  auto& shard = *shards_[*index];
  const auto remote = to_coap(to.remote);
  coap_address_t local;
  if (!to.local.empty()) local = to_coap(to.local, to.remote.family());
  errno = 0;
  auto* const handle = coap_new_client_session(shard.context->get(), to.local.empty() ? nullptr : &local,
                                               &remote, to.tcp ? COAP_PROTO_TCP : COAP_PROTO_UDP);
  if (handle == nullptr) {
    const int error = errno;
    auto failure = errno_error(to.remote.text(), error != 0 ? error : EHOSTUNREACH);
    const bool descriptors = error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
    failure.code = descriptors ? Errc::internal : Errc::unreachable;
    return failure;
  }
  coap_session_set_nstart(handle, kNoHolding);
  if (!to.tcp) coap_session_set_mtu(handle, kDatagram);
  auto session = std::shared_ptr<Session>(new Session(*this, *index, handle, user, to.tcp));
  shard.sessions.push_back(session.get());
  ++sessions_;
  return session;
}

void SessionPool::released(Session& session) {
  auto& list = shards_[session.shard_]->sessions;
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

SessionPool* SessionPool::pool_of(coap_session_t* session) {
  return static_cast<SessionPool*>(Context::owner_of(session));
}

Session* SessionPool::session_of(coap_session_t* session) {
  return static_cast<Session*>(coap_session_get_app_data(session));
}

coap_response_t SessionPool::on_response(coap_session_t* handle, const coap_pdu_t*,
                                         const coap_pdu_t* received, coap_mid_t) noexcept {
  auto* const pool = pool_of(handle);
  auto* const session = session_of(handle);
  if (pool == nullptr || session == nullptr || session->user_ == nullptr) return COAP_RESPONSE_FAIL;
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
  pool->put(*session, std::move(event));
  return COAP_RESPONSE_OK;
}

void SessionPool::on_nack(coap_session_t* handle, const coap_pdu_t* sent, coap_nack_reason_t reason,
                          coap_mid_t id) noexcept {
  // A client sends no pings: it was a server, to whom the socket's peer spoke (take_requests).
  if (sent != nullptr && coap_pdu_get_code(sent) == COAP_EMPTY_CODE)
    return Server::on_nack(handle, sent, reason, id);
  auto* const pool = pool_of(handle);
  auto* const session = session_of(handle);
  if (pool == nullptr || session == nullptr) return;
  SessionEvent event;
  event.message_id = static_cast<std::uint16_t>(id);
  switch (reason) {
    case COAP_NACK_TOO_MANY_RETRIES: event.kind = SessionEvent::Kind::gave_up; break;
    case COAP_NACK_RST: event.kind = SessionEvent::Kind::reset; break;
    case COAP_NACK_ICMP_ISSUE: event.kind = SessionEvent::Kind::refused; break;
    default: event.kind = SessionEvent::Kind::closed; break;
  }
  pool->put(*session, std::move(event));
}

int SessionPool::on_event(coap_session_t* handle, coap_event_t kind) noexcept {
  auto* const pool = pool_of(handle);
  auto* const session = session_of(handle);
  if (pool == nullptr || session == nullptr) return 0;
  SessionEvent event;
  switch (kind) {
    case COAP_EVENT_SESSION_CONNECTED:
      // libcoap calls the session open only after this returns; the event is delivered a turn later.
      session->open_ = true;
      event.kind = SessionEvent::Kind::open;
      break;
    case COAP_EVENT_TCP_CLOSED:
    case COAP_EVENT_TCP_FAILED:
    case COAP_EVENT_SESSION_CLOSED:
    case COAP_EVENT_SESSION_FAILED:
      session->open_ = false;
      event.kind = SessionEvent::Kind::closed;
      break;
    default: return 0;
  }
  pool->put(*session, std::move(event));
  return 0;
}

}  // namespace aiot::coap
