#include "core/coap/server.h"

#include <algorithm>
#include <utility>

#include "core/base/log.h"
#include "core/coap/pdu.h"
#include "core/coap/server_security.h"
#include "core/coap/session_pool.h"

namespace aiot::coap {
namespace {

constexpr int kDatagramsPerTurn = 64;

coap_proto_t protocol(bool tcp, bool secure) {
  if (tcp) return secure ? COAP_PROTO_TLS : COAP_PROTO_TCP;
  return secure ? COAP_PROTO_DTLS : COAP_PROTO_UDP;
}

}  // namespace

std::vector<Server*>& Server::all() {
  thread_local std::vector<Server*> servers;
  return servers;
}

Server::Server(EventLoop& loop, ServerOptions options, Handler handler)
    : loop_(loop),
      options_(std::move(options)),
      handler_(std::move(handler)),
      filter_(options_.duplicate_peers, options_.duplicate_ids),
      uploads_({options_.max_uploads, options_.max_upload, options_.upload_lifetime}),
      known_(options_.known_peers) {
  all().push_back(this);
}

bool Server::serve_stray(coap_session_t* session, const coap_pdu_t* request, coap_pdu_t* response) {
  const auto local = from_coap(*coap_session_get_addr_local(session));
  for (Server* server : all()) {
    if (server->options_.security) continue;
    for (std::size_t i = 0; i < std::min(server->options_.udp.size(), server->listeners_.size()); ++i) {
      const auto& bound = server->listeners_[i].bound();
      if (bound.port() != local.port() || (!bound.is_any() && bound != local)) continue;
      server->handle(session, request, response);
      return true;
    }
  }
  return false;
}

Server::~Server() {
  std::erase(all(), this);
  for (const auto& [remote, peer] : secured_) SessionPool::let_go(peer.session);
  if (running_ != nullptr) {
    // Destroyed by its own handler: the handler lives until it returns.
    running_->gone = true;
    running_->handler = std::move(handler_);
  }
  const auto orphan = [](Exchange& exchange) {
    exchange.keeps_session.reset();
    exchange.server = nullptr;
    exchange.call = nullptr;
  };
  for (auto* list : {&held_, &deferred_}) {
    while (auto* exchange = list->first()) {
      list->remove(*exchange);
      orphan(*exchange);
    }
  }
  while (auto* exchange = unproved_.first()) {
    // No responder has these any more.
    const std::unique_ptr<Exchange> last(exchange);
    unproved_.remove(*exchange);
  }
  if (current_ != nullptr) orphan(*current_);
  for (auto& waiting : at_leisure_) coap_delete_pdu(waiting.pdu);
  at_leisure_.clear();
  refused_.clear();
}

Result<> Server::open() {
  if (options_.security && options_.udp.size() > 1)
    return make_error(Errc::usage, "a listener on DTLS has one address");
  held_timer_ = loop_.make_timer([this] { release_held(); });
  unproved_timer_ = loop_.make_timer([this] { release_unproved(); });
  sweep_timer_ = loop_.make_timer([this] { sweep(); });
  refuse_timer_ = loop_.make_timer([this] { close_refused(); });
  rejoin_timer_ = loop_.make_timer([this] { (void)join_groups(false); });
  if (auto opened = open_context(false, options_.udp, datagrams_); !opened) return opened;
  if (auto opened = open_context(true, options_.tcp, streams_); !opened) return opened;
  return join_groups(true);
}

Result<> Server::open_context(bool tcp, const std::vector<SocketAddress>& addresses,
                              std::unique_ptr<Context>& out) {
  if (addresses.empty()) return {};
  Context::Options options;
  if (!tcp) {
    options.datagrams_per_turn = kDatagramsPerTurn;
    options.notices.malformed = [this](std::string_view peer) {
      ++counters_.malformed;
      if (!peer.empty()) log::warn("{} sent a datagram that is no CoAP message", peer);
    };
  }
  if (!tcp && options_.security) options.inspect = [this](int most) { return inspect(most); };
  auto made = Context::make(loop_, this, std::move(options));
  if (!made) return std::move(made).error();
  out = std::move(*made);
  auto* const context = out->get();

  const auto serve = [](coap_resource_t* resource) {
    for (const auto method :
         {Method::get, Method::put, Method::post, Method::del, Method::fetch, Method::patch, Method::ipatch})
      coap_register_request_handler(resource, static_cast<coap_request_t>(request_code(method)),
                                    on_libcoap_request);
  };
  // Without a resource of its own /.well-known/core would be answered by libcoap.
  const int flags = COAP_RESOURCE_FLAGS_HAS_MCAST_SUPPORT;
  auto* const any = coap_resource_unknown_init2(on_libcoap_request, flags);
  auto* const core = coap_resource_init(coap_make_str_const(COAP_DEFAULT_URI_WELLKNOWN), flags);
  if (any == nullptr || core == nullptr) return make_error(Errc::internal, "out of memory");
  for (auto* resource : {any, core}) {
    serve(resource);
    coap_add_resource(context, resource);
  }

  if (options_.security) {
    if (!secure_listeners(context, out->secure(), *options_.security))
      return make_error(Errc::internal, "libcoap is built without OpenSSL");
    SessionPool::borrow_from(context);
    coap_register_event_handler(context, on_secure_event);
    const auto lifetime = std::chrono::duration_cast<std::chrono::seconds>(options_.secured_lifetime);
    coap_context_set_session_timeout(context, static_cast<unsigned>(lifetime.count()));
    coap_context_set_max_handshake_sessions(context, static_cast<unsigned>(options_.max_handshakes));
    if (!tcp) coap_context_set_max_idle_sessions(context, static_cast<unsigned>(options_.max_secured));
  } else if (tcp) {
    coap_register_event_handler(context, on_stream_event);
  } else {
    coap_context_set_max_idle_sessions(context, static_cast<unsigned>(options_.max_idle_sessions));
    coap_register_nack_handler(context, on_nack);
  }
  for (const auto& address : addresses) {
    auto listener = Listener::open(context, address, protocol(tcp, options_.security != nullptr));
    if (!listener) return std::move(listener).error();
    if (!tcp) listener->set_receive_buffer(options_.receive_buffer);
    listeners_.push_back(*listener);
  }
  return {};
}

Result<> Server::join_groups(bool first) {
  if (options_.join_multicast.empty()) return {};
  for (const auto& group : options_.join_multicast) {
    const bool six = group.find(':') != std::string::npos;
    Result<> joined = make_error(Errc::unreachable, "no listener takes every address");
    for (std::size_t i = 0; i < options_.udp.size(); ++i) {
      // Multicast reaches only sockets bound to every address.
      const auto& bound = listeners_[i].bound();
      if (!bound.is_any() || (six && bound.family() == AF_INET)) continue;
      auto result = listeners_[i].join(group);
      if (!result && result.error().code == Errc::usage) return result;
      if (!joined) joined = std::move(result);
    }
    if (!joined && first) log::warn("multicast group {} is not joined: {}", group, joined.error().message);
  }
  // A border router's radio comes up long after boot.
  rejoin_timer_->start(options_.rejoin);
  return {};
}

int Server::on_stream_event(coap_session_t* session, coap_event_t event) noexcept {
  auto* const server = static_cast<Server*>(Context::owner_of(session));
  if (server == nullptr) return 0;
  auto& silent = server->silent_streams_;
  switch (event) {
    case COAP_EVENT_SERVER_SESSION_NEW:
      ++server->streams_open_;
      silent.push_back({session, server->loop_.now()});
      server->arm_sweep();
      if (server->streams_open_ > server->options_.max_streams)
        server->refuse_session(silent.front().session);
      break;
    case COAP_EVENT_SERVER_SESSION_DEL: --server->streams_open_; [[fallthrough]];
    case COAP_EVENT_DTLS_CONNECTED:
    case COAP_EVENT_SESSION_CONNECTED:
      std::erase_if(silent, [&](const SilentStream& each) { return each.session == session; });
      break;
    default: break;
  }
  return 0;
}

void Server::refuse_session(coap_session_t* session) {
  // libcoap goes on using the session in this call.
  refused_.emplace_back(session);
  std::erase_if(silent_streams_, [&](const SilentStream& each) { return each.session == session; });
  refuse_timer_->start(Duration::zero());
}

void Server::close_refused() {
  for (auto& stream : std::exchange(refused_, {}))
    coap_session_disconnected(stream.get(), COAP_NACK_NOT_DELIVERABLE);
  for (auto* const context : {datagrams_.get(), streams_.get()})
    if (context != nullptr) context->flush();
}

std::vector<SocketAddress> Server::bound() const {
  std::vector<SocketAddress> out;
  for (const auto& listener : listeners_) out.push_back(listener.bound());
  return out;
}

ServerCounters Server::counters() const {
  auto out = counters_;
  for (std::size_t i = 0; i < std::min(options_.udp.size(), listeners_.size()); ++i)
    out.kernel_drops += listeners_[i].kernel_drops();
  out.secured = secured_.size();
  return out;
}

void Server::remember(const SocketAddress& peer, std::uint16_t message_id, std::string_view token,
                      std::string_view payload, const ServerReply& reply) {
  const auto slot = filter_.note(peer, message_id, DuplicateFilter::fingerprint(token, payload), loop_.now());
  AnswerView view;
  view.code = reply.code;
  view.content_format = reply.content_format;
  view.max_age = reply.max_age;
  view.location_path = reply.location_path.empty() ? nullptr : &reply.location_path;
  view.payload = reply.payload;
  filter_.answered(slot, view, payload);
}

Exchange& Server::take_exchange() {
  if (spare_.empty()) spare_.push_back(std::make_unique<Exchange>());
  auto* const exchange = spare_.back().release();
  spare_.pop_back();
  exchange->server = this;
  return *exchange;
}

void Server::give_back(Exchange& exchange) {
  constexpr std::size_t kSpare = 256;
  constexpr std::size_t kKeptCapacity = 4096;
  std::unique_ptr<Exchange> owned(&exchange);
  if (current_ == &exchange) current_ = nullptr;
  if (spare_.size() >= kSpare || exchange.payload_copy.capacity() > kKeptCapacity ||
      exchange.key.capacity() > kKeptCapacity)
    return;
  exchange.keeps_session.reset();
  exchange.call = nullptr;
  exchange.session = nullptr;
  exchange.acknowledged = exchange.closed = exchange.reduced = exchange.asked = false;
  exchange.no_response = 0;
  exchange.slot = {};
  exchange.block1.reset();
  exchange.block2.reset();
  exchange.payload = {};
  exchange.key.clear();
  exchange.payload_copy.clear();
  spare_.push_back(std::move(owned));
}

void Server::sweep() {
  uploads_.expire(loop_.now());
  bodies_.expire(loop_.now());
  gate_.expire(loop_.now());
  while (!silent_streams_.empty() && loop_.now() - silent_streams_.front().since >= options_.stream_patience)
    refuse_session(silent_streams_.front().session);
  arm_sweep();
}

void Server::arm_sweep() {
  constexpr Duration kSweep = std::chrono::seconds(10);
  if (!sweep_timer_->armed() && uploads_.size() + bodies_.size() + gate_.size() + silent_streams_.size() > 0)
    sweep_timer_->start(std::min<Duration>(kSweep, options_.stream_patience));
}

}  // namespace aiot::coap
