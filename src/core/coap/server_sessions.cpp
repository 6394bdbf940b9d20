#include <algorithm>

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

void Server::recheck_peers() {
  if (!options_.security) return;
  for (const auto& [remote, peer] : secured_)
    if (!lets_in(*options_.security, peer.session)) refuse_session(peer.session);
}

int Server::inspect(int most) {
  const auto& listener = listeners_.front();
  listener.look_again();
  int good = 0;
  for (int looked = 0; looked < most; ++looked) {
    const auto waiting = listener.look(inspected_);
    if (!waiting) break;
    const auto peer =
        SocketAddress::from(reinterpret_cast<const sockaddr*>(&waiting->from), waiting->from_size);
    const auto former = secured_.find(peer);
    const bool known = former != secured_.end() || gate_.under_way(peer);
    const auto began = former != secured_.end() ? former->second.hello : 0;
    const auto decision = gate_.judge(waiting->bytes, peer, known, began, loop_.now());
    using Verdict = HelloGate::Verdict;
    if (decision.verdict == Verdict::begin) {
      arm_sweep();
      // The hello itself may find the former session still there; it comes again.
      if (former != secured_.end()) coap_session_disconnected(former->second.session, COAP_NACK_TLS_FAILED);
    }
    if (decision.verdict == Verdict::pass || decision.verdict == Verdict::begin) {
      ++good;
      continue;
    }
    // What libcoap may have comes first: this one is looked at again then.
    if (good > 0) break;
    listener.discard();
    listener.look_again();
    ++(decision.verdict == Verdict::ask ? counters_.asked_hellos : counters_.refused_hellos);
    if (decision.verdict == Verdict::ask) listener.answer(*waiting, decision.answer);
  }
  return good;
}

int Server::on_secure_event(coap_session_t* session, coap_event_t event) noexcept {
  SessionPool::on_event(session, event);
  auto* const server = static_cast<Server*>(Context::owner_of(session));
  if (server == nullptr) return 0;
  const auto remote = from_coap(*coap_session_get_addr_remote(session));
  switch (event) {
    case COAP_EVENT_DTLS_CONNECTED:
      if (auto& peer = server->secured(session); coap_session_get_proto(session) == COAP_PROTO_DTLS)
        peer.hello = server->gate_.ended(remote);
      // It may have begun before the files were read again.
      if (!lets_in(*server->options_.security, session)) server->refuse_session(session);
      break;
    case COAP_EVENT_DTLS_ERROR: ++server->counters_.failed_handshakes; break;
    case COAP_EVENT_DTLS_CLOSED:
    case COAP_EVENT_TCP_CLOSED:
    case COAP_EVENT_SERVER_SESSION_DEL: {
      const auto at = server->secured_.find(remote);
      if (at != server->secured_.end() && at->second.session == session) server->secured_.erase(at);
      break;
    }
    default: break;
  }
  return coap_session_get_proto(session) == COAP_PROTO_TLS ? on_stream_event(session, event) : 0;
}

}  // namespace aiot::coap
