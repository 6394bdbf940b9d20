#include "core/coap/server.h"
#include "core/coap/server_security.h"
#include "core/coap/session_pool.h"

/// The sessions of a server on DTLS and TLS: who is at their other end, and requests that go there.
namespace aiot::coap {

Server::Secured& Server::secured(coap_session_t* session) {
  auto& entry = secured_[from_coap(*coap_session_get_addr_remote(session))];
  if (entry.session != session) entry = {session, identity_of(session)};
  return entry;
}

coap_session_t* Server::secured_session(const SocketAddress& local, const SocketAddress& remote) {
  for (const Server* server : all()) {
    if (!server->options_.security) continue;
    const bool here =
        std::any_of(server->listeners_.begin(), server->listeners_.end(), [&](const Listener& listener) {
          return listener.bound().port() == local.port() &&
                 (listener.bound().is_any() || listener.bound() == local);
        });
    const auto at = server->secured_.find(remote);
    if (here && at != server->secured_.end()) return at->second.session;
  }
  return nullptr;
}

int Server::on_secure_event(coap_session_t* session, coap_event_t event) noexcept {
  SessionPool::on_event(session, event);
  auto* const server = static_cast<Server*>(Context::owner_of(session));
  if (server == nullptr) return 0;
  switch (event) {
    case COAP_EVENT_DTLS_CONNECTED: (void)server->secured(session); break;
    case COAP_EVENT_DTLS_ERROR: ++server->counters_.failed_handshakes; break;
    case COAP_EVENT_DTLS_CLOSED:
    case COAP_EVENT_TCP_CLOSED:
    case COAP_EVENT_SERVER_SESSION_DEL: {
      const auto at = server->secured_.find(from_coap(*coap_session_get_addr_remote(session)));
      if (at != server->secured_.end() && at->second.session == session) server->secured_.erase(at);
      break;
    }
    default: break;
  }
  return coap_session_get_proto(session) == COAP_PROTO_TLS ? on_stream_event(session, event) : 0;
}

}  // namespace aiot::coap
