#include "core/coap/destination.h"

#include <fmt/core.h>

#include <algorithm>
#include <cerrno>

#include "core/base/random.h"
#include "core/coap/client_core.h"

namespace aiot::coap {
namespace {

/// Four random bytes are what RFC 7252 section 5.3.1 asks of a client without security; the socket is
/// connected besides.
std::string make_token() {
  std::string token(4, '\0');
  random_bytes(token.data(), token.size());
  return token;
}

/// Below this much time a lost message would be retransmitted too late with the usual two seconds.
constexpr auto kHurried = std::chrono::seconds(5);

}  // namespace

Destination::~Destination() {
  if (session_) session_->close();
}

Failure Destination::failure(Errc code, std::string what, bool acted_upon, int native) const {
  Failure failure;
  failure.error = make_error(code, fmt::format("{}: {}", endpoint_.remote.text(), what), native);
  failure.error.outcome = acted_upon ? Outcome::unknown : Outcome::not_sent;
  return failure;
}

void Destination::submit(std::shared_ptr<Exchange> exchange) {
  if (waiting_.size() >= core_.limits().max_waiting) {
    ++core_.count().overflows;
    exchange->done(failure(Errc::internal, "too many requests wait for it", false));
    return;
  }
  auto* const raw = exchange.get();
  raw->deadline_id = core_.deadlines().at(raw->deadline, [this, raw] { on_deadline(*raw); });
  waiting_.push_back(std::move(exchange));
  start();
}

void Destination::cancel(const Exchange& exchange) {
  core_.deadlines().cancel(exchange.deadline_id);
  if (current_.get() == &exchange) {
    current_.reset();
    if (session_) session_->drop_outstanding();
    start();
  } else {
    std::erase_if(waiting_, [&](const auto& waiting) { return waiting.get() == &exchange; });
    core_.changed(*this);
  }
}

void Destination::add_observer(const std::string& token, Observer& observer) {
  observers_[token] = &observer;
  core_.changed(*this);
}

void Destination::remove_observer(const std::string& token) {
  observers_.erase(token);
  core_.changed(*this);
}

void Destination::send_unasked(const Message& message) {
  if (session_ && session_->open()) (void)session_->send(message);
}

bool Destination::knows_token(std::string_view token) const {
  if (current_ && current_->sent && current_->token == token) return true;
  return !observers_.empty() && observers_.count(std::string(token)) > 0;
}

// ---- sending ----

bool Destination::ensure_session() {
  if (session_) return true;
  auto made = core_.session_for(*this);
  if (!made) {
    auto error = std::move(made).error();
    error.outcome = Outcome::not_sent;
    Failure refused{std::move(error), true};
    refused.elsewhere = refused.error.code == Errc::unreachable;
    fail_waiting(refused);
    return false;
  }
  session_ = std::move(*made);
  was_open_ = session_ && session_->open();
  return session_ != nullptr;
}

void Destination::start() {
  while (!current_ && !waiting_.empty()) {
    if (!ensure_session()) break;
    if (!session_->open()) break;  // TCP: goes on with the event
    current_ = std::move(waiting_.front());
    waiting_.pop_front();
    current_->transfer.set_max_single(session_->max_single());
    current_->transfer.set_reliable(endpoint_.tcp);
    ++core_.count().exchanges;
    send_current();
  }
  core_.changed(*this);
}

void Destination::send_current() {
  auto& exchange = *current_;
  const auto now = core_.loop().now();
  Message message = exchange.transfer.next();
  message.type = exchange.confirmable ? Type::con : Type::non;
  const bool first = exchange.transfer.first();
  if (first && !exchange.first_token.empty()) {
    exchange.token = exchange.first_token;
  } else {
    if (exchange.block_token.empty()) exchange.block_token = make_token();
    exchange.token = exchange.block_token;
  }
  message.token = exchange.token;
  if (!endpoint_.tcp && exchange.confirmable)
    session_->set_ack_timeout(exchange.deadline - now < kHurried ? 1 : 2);
  auto sent = session_->send(message);
  if (!sent) {
    auto error = std::move(sent).error();
    const bool unreachable = error.code == Errc::unreachable;
    auto result = failure(error.code, std::move(error.message), !first, error.native);
    result.elsewhere = unreachable && first;
    finish(std::move(result));
    return;
  }
  exchange.message_id = *sent;
  exchange.sent = true;
  exchange.sent_at = now;
}

// ---- what comes ----

void Destination::on_event(SessionEvent event) {
  switch (event.kind) {
    case SessionEvent::Kind::open:
      was_open_ = true;
      start();
      break;
    case SessionEvent::Kind::message: on_message(std::move(event)); break;
    case SessionEvent::Kind::refused: on_refused(); break;
    case SessionEvent::Kind::reset:
      if (current_ && current_->sent && current_->message_id == event.message_id) {
        auto result = failure(Errc::rejected, "the peer answered with a reset", true);
        result.error.outcome = Outcome::rejected;
        finish(std::move(result));
      }
      break;
    case SessionEvent::Kind::gave_up:
      if (current_ && current_->sent && current_->message_id == event.message_id &&
          current_->deadline - core_.loop().now() > std::chrono::seconds(1))
        finish(failure(Errc::timeout, "no acknowledgement after the last retransmission", true));
      break;
    case SessionEvent::Kind::closed: on_closed(event.refused); break;
    case SessionEvent::Kind::malformed:
      if (current_ && current_->sent) {
        session_->drop_outstanding();
        finish(failure(Errc::peer_failed, "the answer is not a CoAP message", true));
      }
      break;
  }
}

void Destination::on_message(SessionEvent event) {
  auto& message = event.message;
  if (current_ && current_->sent && message.token == current_->token) {
    // A late copy of what an earlier block was answered with.
    if (!endpoint_.tcp && message.type == Type::ack && message.message_id != current_->message_id) return;
    if (!current_->rtt) current_->rtt = core_.loop().now() - current_->sent_at;
    switch (current_->transfer.take(std::move(message))) {
      case Transfer::Step::send: send_current(); break;
      case Transfer::Step::done: {
        Answer answer{std::move(current_->transfer.answer()), event.from, *current_->rtt};
        finish(std::move(answer));
        break;
      }
      case Transfer::Step::failed: {
        auto& error = current_->transfer.error();
        finish(failure(error.code, "the peer " + error.message, true));
        break;
      }
    }
    return;
  }
  if (const auto observer = observers_.find(message.token); observer != observers_.end())
    observer->second->on_notification(std::move(message));
}

void Destination::on_refused() {
  if (session_ && !was_open_) return on_closed({});  // DTLS: nobody is there for a handshake
  if (current_ && current_->sent) {
    // Before the first retransmission the refused message is the only one: it reached nobody.
    const bool only =
        current_->transfer.first() && core_.loop().now() - current_->sent_at < std::chrono::milliseconds(900);
    session_->drop_outstanding();
    auto result = failure(Errc::unreachable, "connection refused", !only, ECONNREFUSED);
    result.elsewhere = only;
    finish(std::move(result));
  }
  lose_observers("connection refused");
}

void Destination::on_closed(const std::string& refused) {
  if (!session_) return;
  const bool opened = was_open_;
  close_session();
  if (!opened && !refused.empty()) {
    fail_waiting(failure(Errc::unauthorized, refused, false));
  } else if (!opened) {
    auto result =
        failure(Errc::unreachable, "the connection was refused or closed before it was set up", false);
    result.elsewhere = true;
    fail_waiting(result);
  }
  if (current_) finish(failure(Errc::unreachable, "the connection was lost", current_->sent));
  lose_observers("the connection was lost");
  start();
}

void Destination::close_session() {
  if (auto session = std::exchange(session_, nullptr)) session->close();
  was_open_ = false;
}

void Destination::on_deadline(const Exchange& exchange) {
  if (current_.get() != &exchange) {
    const auto at = std::find_if(waiting_.begin(), waiting_.end(),
                                 [&](const auto& waiting) { return waiting.get() == &exchange; });
    if (at == waiting_.end()) return;
    const auto late = std::move(*at);
    waiting_.erase(at);
    ++core_.count().timeouts;
    // With a wrong key the last message of a handshake is dropped like any forged one.
    const bool distrusted = session_ && session_->handshake_under_way();
    const char* why = current_     ? "no answer in time to the request before this one"
                      : distrusted ? "the DTLS handshake did not end in time: is it the right key?"
                      : session_   ? "no connection in time"
                                   : "no free session in time";
    late->done(failure(distrusted ? Errc::unauthorized : Errc::timeout, why, false));
    // A connection that does not come about would keep the others waiting.
    if (session_ && !session_->open() && waiting_.empty()) close_session();
    core_.changed(*this);
    return;
  }
  session_->drop_outstanding();
  // On a stream a peer that stays silent has probably gone; the next request finds out with a new connection.
  if (endpoint_.tcp && observers_.empty()) close_session();
  finish(failure(Errc::timeout, "no answer in time", current_->sent));
}

void Destination::finish(std::variant<Answer, Failure> result) {
  const auto exchange = std::move(current_);
  current_.reset();
  core_.deadlines().cancel(exchange->deadline_id);
  if (const auto* failure = std::get_if<Failure>(&result);
      failure != nullptr && failure->error.code == Errc::timeout)
    ++core_.count().timeouts;
  exchange->done(std::move(result));
  start();
}

void Destination::fail_waiting(const Failure& failure) {
  auto waiting = std::exchange(waiting_, {});
  for (const auto& exchange : waiting) core_.deadlines().cancel(exchange->deadline_id);
  for (const auto& exchange : waiting) exchange->done(failure);
}

void Destination::lose_observers(const std::string& reason) {
  if (observers_.empty()) return;
  const auto observers = std::exchange(observers_, {});
  for (const auto& [token, observer] : observers) observer->on_lost(reason);
  core_.changed(*this);
}

}  // namespace aiot::coap
