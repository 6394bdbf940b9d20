#include <algorithm>
#include <functional>
#include <utility>

#include "core/base/log.h"
#include "core/base/random.h"
#include "core/coap/answer_writer.h"
#include "core/coap/pdu.h"
#include "core/coap/server.h"

/// The way out: answers inside the handler, within the time a client waits for its ACK anyway, and later.
namespace aiot::coap {
namespace {

/// How long an ACK waits for its answer: short beside ACK_TIMEOUT (2 s, RFC 7252 section 4.8), long for us.
constexpr Duration kHold = std::chrono::milliseconds(100);
/// Each deferred request keeps a session of libcoap, and libcoap looks at all of them for every new peer.
constexpr std::size_t kMaxDeferred = 4096;
/// What fits a datagram anywhere (RFC 7252 section 4.6), and the largest block.
constexpr std::size_t kDatagramPayload = 1024;
constexpr std::uint8_t kLargestSzx = 6;
/// 16 bytes.
constexpr std::uint8_t kSmallestSzx = 0;
/// Room for header, token and options around a payload on TCP.
constexpr std::size_t kStreamOverhead = 256;

std::string etag_of(std::string_view payload) {
  const auto hash = std::hash<std::string_view>{}(payload);
  std::string out(4, '\0');
  for (std::size_t i = 0; i < out.size(); ++i) out[i] = static_cast<char>(hash >> (8 * i));
  return out;
}

bool is_response(std::uint8_t code) { return code >> 5 >= 2 && code >> 5 <= 5; }
bool is_error(std::uint8_t code) { return code >> 5 > 2; }

/// A diagnostic is for people, and who reads only its beginning is told what happened, too.
void cut_diagnostic(AnswerView& answer, const Exchange& exchange) {
  const auto size = datagram_size(answer, exchange.token_size);
  const auto excess = size - std::min(size, exchange.affordable());
  auto left = answer.payload.size() - std::min(excess, answer.payload.size());
  const auto inside = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80; };
  while (left > 0 && left < answer.payload.size() && inside(answer.payload[left])) --left;
  answer.payload = answer.payload.substr(0, left);
}

}  // namespace

void Server::reply(Exchange& exchange, const ServerReply& reply) {
  if (exchange.closed) {
    deferred_.remove(exchange);
    give_back(exchange);
    return;
  }
  deliver(exchange, reply);
}

void Server::deliver(Exchange& exchange, const ServerReply& reply) {
  std::string etag;
  auto answer = view_of(exchange, reply, etag);
  if (exchange.spoofable && datagram_size(answer, exchange.token_size) > exchange.affordable()) {
    if (await_proof(exchange, reply)) return;
    answer = view_of(exchange, reply, etag);
  }
  if (exchange.call != nullptr) {
    answer_now(exchange, answer);
  } else {
    send_later(exchange, answer);
  }
}

AnswerView Server::view_of(Exchange& exchange, const ServerReply& reply, std::string& etag) {
  AnswerView view;
  view.code = is_response(reply.code) ? reply.code : code(5, 0);
  view.content_format = reply.content_format;
  view.max_age = reply.max_age;
  view.location_path = reply.location_path.empty() ? nullptr : &reply.location_path;
  view.payload = reply.payload;
  if (exchange.block1) view.block1 = exchange.block1->encode();

  const auto largest = exchange.reduced ? kSmallestSzx : kLargestSzx;
  const auto wanted = exchange.block2.value_or(Block{0, false, largest});
  auto limit = kDatagramPayload;
  if (exchange.reduced) {
    if (is_error(view.code)) return cut_diagnostic(view, exchange), view;
    limit = Block{0, false, largest}.size();
  } else if (exchange.block2) {
    limit = std::min(limit, wanted.size());
  } else if (!exchange.datagram) {
    const auto most = coap_session_max_pdu_size(exchange.session);
    if (most > limit + kStreamOverhead) limit = most - kStreamOverhead;
  }
  if (reply.payload.size() <= limit && wanted.number == 0) return view;

  const auto piece = slice(reply.payload, wanted, largest);
  if (!piece) {
    AnswerView beyond;
    beyond.code = code(4, 0);
    beyond.payload = "there is no such block";
    return beyond;
  }
  etag = etag_of(reply.payload);
  view.etag = etag;
  view.payload = piece->payload;
  view.block2 = piece->block.encode();
  view.size2 = static_cast<std::uint32_t>(reply.payload.size());
  if (piece->block.more) {
    if (exchange.call != nullptr) name(exchange);
    bodies_.put(exchange.key, {reply.code, reply.content_format, reply.max_age, etag, reply.payload},
                loop_.now());
    arm_sweep();
  }
  return view;
}

AnswerView Server::view_of(Exchange& exchange, const Body& body) {
  AnswerView view;
  const auto piece = slice(body.payload, *exchange.block2, kLargestSzx);
  if (!piece) {
    view.code = code(4, 0);
    view.payload = "there is no such block";
    return view;
  }
  view.code = body.code;
  view.content_format = body.content_format;
  view.max_age = body.max_age;
  view.etag = body.etag;
  view.payload = piece->payload;
  view.block2 = piece->block.encode();
  return view;
}

void Server::note_answer(Exchange& exchange, const AnswerView& answer) {
  if (!exchange.datagram) return;
  // Later blocks are cut again rather than kept.
  if (exchange.block2 && exchange.block2->number > 0) return filter_.forget(exchange.slot);
  filter_.answered(exchange.slot, answer, exchange.payload);
}

void Server::defer(Exchange& exchange) {
  auto* const response = exchange.call->response;
  if (held_.size() + deferred_.size() + unproved_.size() >= kMaxDeferred) {
    ++counters_.overloads;
    exchange.closed = true;
    AnswerView busy;
    busy.code = code(5, 3);
    write_answer(response, busy);
    note_answer(exchange, busy);
    deferred_.push(exchange);
  } else {
    detach(exchange);
    if (exchange.datagram && exchange.confirmable) {
      exchange.held_until = loop_.now() + kHold;
      held_.push(exchange);
      if (!held_timer_->armed()) held_timer_->start(kHold);
    } else {
      deferred_.push(exchange);
    }
  }
  exchange.call = nullptr;
  if (current_ == &exchange) current_ = nullptr;
}

void Server::detach(Exchange& exchange) {
  name(exchange);
  exchange.payload_copy = exchange.payload;
  exchange.payload = exchange.payload_copy;
  exchange.keeps_session = SessionRef(exchange.session);
  // Of type NON and without a code, libcoap sends nothing: the ACK is ours to send, with the answer in it
  // if that comes soon.
  if (exchange.datagram) coap_pdu_set_type(exchange.call->response, COAP_MESSAGE_NON);
}

void Server::send_empty_ack(const Exchange& exchange) {
  if (auto* const ack = coap_pdu_init(COAP_MESSAGE_ACK, COAP_EMPTY_CODE, exchange.message_id, 0))
    coap_send(exchange.session, ack);
}

void Server::release_held() {
  const auto now = loop_.now();
  while (auto* const exchange = held_.first()) {
    if (exchange->held_until > now) {
      held_timer_->start(exchange->held_until - now);
      return;
    }
    held_.remove(*exchange);
    exchange->acknowledged = true;
    deferred_.push(*exchange);
    filter_.answered_separately(exchange->slot);
    send_empty_ack(*exchange);
  }
}

void Server::send_later(Exchange& exchange, const AnswerView& answer) {
  const bool piggybacked = exchange.datagram && exchange.confirmable && !exchange.acknowledged;
  ExchangeList::leave(exchange);
  if (!exchange.acknowledged) note_answer(exchange, answer);

  auto* const session = exchange.session;
  // libcoap would dial out on a stream that is closed.
  const bool gone = coap_session_get_state(session) != COAP_SESSION_STATE_ESTABLISHED;
  if (gone || unwanted(exchange, answer.code)) {
    if (piggybacked && !gone) send_empty_ack(exchange);
  } else if (exchange.multicast) {
    send_at_leisure(exchange, answer);
  } else {
    // Nor is it repeated for somebody who may not have asked.
    const bool repeated = exchange.confirmable && !exchange.reduced;
    const auto type = piggybacked ? COAP_MESSAGE_ACK : repeated ? COAP_MESSAGE_CON : COAP_MESSAGE_NON;
    const auto id = piggybacked ? exchange.message_id : coap_new_message_id(session);
    if (auto* const pdu = make_pdu(exchange, type, id, answer)) coap_send(session, pdu);
    if (type == COAP_MESSAGE_CON && exchange.datagram) datagrams_->flush();
  }
  give_back(exchange);
}

bool Server::unwanted(const Exchange& exchange, std::uint8_t code) {
  // RFC 7967 and RFC 7252 section 8.2.
  return (exchange.no_response >> ((code >> 5) - 1) & 1) != 0 || (exchange.multicast && is_error(code));
}

coap_pdu_t* Server::make_pdu(const Exchange& exchange, coap_pdu_type_t type, std::uint16_t id,
                             const AnswerView& answer) {
  auto* const pdu = coap_pdu_init(type, COAP_EMPTY_CODE, id, coap_session_max_pdu_size(exchange.session));
  if (pdu == nullptr || !coap_add_token(pdu, exchange.token_size, bytes(exchange.token_view()))) {
    log::error("out of memory for an answer");
    coap_delete_pdu(pdu);
    return nullptr;
  }
  write_answer(pdu, answer);
  return pdu;
}

void Server::send_at_leisure(const Exchange& exchange, const AnswerView& answer) {
  constexpr std::size_t kMost = 1024;
  if (at_leisure_.size() >= kMost) return;
  auto* const session = exchange.session;
  auto* const pdu = make_pdu(exchange, COAP_MESSAGE_NON, coap_new_message_id(session), answer);
  if (pdu == nullptr) return;
  at_leisure_.push_back({SessionRef(session), pdu, nullptr});
  const auto self = std::prev(at_leisure_.end());
  self->timer = loop_.make_timer([this, self] {
    coap_send(self->session.get(), self->pdu);
    // The timer is this function's home; it goes on the next turn.
    loop_.post([timer = std::move(self->timer)] {});
    at_leisure_.erase(self);
  });
  self->timer->start(Duration(static_cast<Duration::rep>(random_u64() % kLeisure.count())));
}

}  // namespace aiot::coap
