#include "core/mqttsn/publisher.h"

#include <utility>

#include "core/mqttsn/request_message.h"

namespace aiot::mqttsn {

namespace {

constexpr Duration kIdle = std::chrono::seconds(10);

}  // namespace

Operation Publisher::publish(Request request, Completion<Response> done) {
  const auto ticket = ++last_;
  auto pending = std::make_shared<Pending>();
  pending->request = std::move(request);
  pending->done = std::move(done);
  pending->deadline = loop().make_timer([this, ticket] { late(ticket); });
  pending->deadline->start(pending->request.timeout);
  pending_[ticket] = pending;
  if (idle_) idle_->stop();
  if (link() != nullptr) link()->publish(ticket, message_of(pending->request));
  if (!std::exchange(dialled_, true)) dial();
  return Operation([weak = weak_from_this(), pending, ticket] {
    pending->done.dismiss();
    if (const auto self = weak.lock()) static_cast<Publisher&>(*self).finish(ticket, Response());
  });
}

void Publisher::close() {
  for (const auto& [ticket, pending] : std::exchange(pending_, {})) pending->done.dismiss();
  idle_.reset();
  hang_up();
}

void Publisher::opened() {
  for (const auto& [ticket, pending] : std::map(pending_))
    link()->publish(ticket, message_of(pending->request));
}

void Publisher::failed(Error why) {
  dialled_ = false;
  why.outcome = Outcome::not_sent;
  hang_up();
  while (!pending_.empty()) finish(pending_.begin()->first, why);
}

Outcome Publisher::outcome(Ticket ticket) const {
  return link() != nullptr && link()->core().left(ticket) ? Outcome::unknown : Outcome::not_sent;
}

void Publisher::answered(Ticket ticket, Result<> result) {
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) return;
  if (!result) {
    auto why = std::move(result).error();
    why.outcome = why.code == Errc::rejected ? Outcome::rejected : Outcome::not_sent;
    return finish(ticket, std::move(why));
  }
  auto message = message_of(found->second->request);
  message.payload.clear();  // the gateway answers with none
  finish(ticket, response_of(uri(), std::move(message), loop().wall_now()));
}

void Publisher::late(Ticket ticket) {
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) return;
  auto why = unanswered(found->second->request.timeout);
  why.outcome = outcome(ticket);
  finish(ticket, std::move(why));
}

void Publisher::finish(Ticket ticket, Result<Response> result) {
  const auto found = pending_.find(ticket);
  if (found == pending_.end()) return;
  const auto pending = found->second;
  pending_.erase(found);
  pending->deadline->stop();
  if (link() != nullptr) link()->forget(ticket);
  if (pending_.empty() && link() != nullptr) {
    if (!idle_) {
      idle_ = loop().make_timer([this] {
        dialled_ = false;
        hang_up();
      });
    }
    idle_->start(kIdle);
  }
  // An answer may come within the call that asked.
  if (pending->done)
    loop().post([pending, result = std::move(result)]() mutable { pending->done(std::move(result)); });
}

}  // namespace aiot::mqttsn
