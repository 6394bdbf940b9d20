#include <utility>

#include "core/coap/pdu.h"
#include "core/coap/server.h"

/// Large answers to datagrams, whose senders may be somebody else: a peer is asked first, by a ping, whether
/// it is there. One that does not answer gets blocks so small that nothing is gained by sending in its name
/// (RFC 7252 section 11.3).
namespace aiot::coap {
namespace {

/// How long the answer waits, and with it the ACK of a CON: shorter than ACK_TIMEOUT (2 s).
constexpr Duration kProof = std::chrono::seconds(1);
/// A ping is said twice at most, so that two small datagrams are all it costs somebody who did not ask.
constexpr std::uint16_t kPingRepeats = 1;

SocketAddress peer_of(const coap_session_t* session) {
  return from_coap(*coap_session_get_addr_remote(session));
}

}  // namespace

bool Server::await_proof(Exchange& exchange, const ServerReply& reply) {
  if (unwanted(exchange, reply.code)) return false;
  auto* const session = exchange.session;
  using Standing = KnownPeers::Standing;
  const auto standing = known_.standing(peer_of(session), loop_.now());
  if (standing == Standing::known) return false;
  const bool may_wait =
      standing == Standing::unknown && !exchange.asked && unproved_.size() < options_.max_unproved;
  bool asked = false;
  for (auto* other = unproved_.first(); may_wait && other != nullptr && !asked; other = other->after)
    asked = other->session == session;
  if (may_wait && !asked) {
    coap_session_set_max_retransmit(session, kPingRepeats);
    asked = coap_session_send_ping(session) != COAP_INVALID_MID;
    datagrams_->flush();
  }
  if (!asked) {
    ++counters_.reduced;
    exchange.reduced = true;
    return false;
  }

  if (auto* const call = exchange.call) {
    detach(exchange);
    call->exchange = nullptr;
    exchange.call = nullptr;
    if (current_ == &exchange) current_ = nullptr;
  }
  ExchangeList::leave(exchange);
  exchange.unproved = reply;
  exchange.held_until = loop_.now() + kProof;
  unproved_.push(exchange);
  if (!unproved_timer_->armed()) unproved_timer_->start(kProof);
  return true;
}

void Server::on_nack(coap_session_t* session, const coap_pdu_t* sent, coap_nack_reason_t reason,
                     coap_mid_t) noexcept {
  if (sent == nullptr || coap_pdu_get_code(sent) != COAP_EMPTY_CODE) return;
  coap_session_set_max_retransmit(session, COAP_DEFAULT_MAX_RETRANSMIT);
  // Any server of this thread may have asked by this session: see serve_stray().
  for (Server* server : all()) server->settle(session, reason == COAP_NACK_RST);
}

void Server::settle(coap_session_t* session, bool answered) {
  const auto keep = SessionRef(session);
  known_.note(peer_of(session), answered, loop_.now());
  for (auto* exchange = unproved_.first(); exchange != nullptr;) {
    auto* const next = exchange->after;
    if (exchange->session == session) {
      unproved_.remove(*exchange);
      exchange->asked = true;
      const auto reply = *std::exchange(exchange->unproved, std::nullopt);
      deliver(*exchange, reply);
    }
    exchange = next;
  }
}

void Server::release_unproved() {
  while (auto* const exchange = unproved_.first()) {
    if (const auto now = loop_.now(); exchange->held_until > now) {
      unproved_timer_->start(exchange->held_until - now);
      return;
    }
    settle(exchange->session, false);
  }
}

}  // namespace aiot::coap
