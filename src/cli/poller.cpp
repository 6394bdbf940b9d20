#include "cli/poller.h"

#include <algorithm>
#include <utility>

namespace aiot::cli {

Poller::Poller(EventLoop& loop, Client& client, Request request, Duration interval,
               UniqueFunction<void(Client::Notification)> next, Completion<> done)
    : loop_(loop),
      client_(client),
      request_(std::move(request)),
      interval_(interval),
      next_(std::move(next)),
      done_(std::move(done)),
      timer_(loop.make_timer([this] { ask(); })) {
  ask();
}

void Poller::ask() {
  asked_ = loop_.now();
  operation_ = client_.request(request_, [this](Result<Response> result) { answered(std::move(result)); });
}

void Poller::answered(Result<Response> result) {
  // The interval is from request to request; one that took longer is followed at once.
  const Duration passed = loop_.now() - asked_;
  timer_->start(std::max(interval_ - passed, Duration::zero()));
  if (!result) {
    if (!answered_) {
      timer_->stop();
      done_(result.error());
    } else if (!std::exchange(lost_, true)) {
      next_(StreamEvent{
          StreamEvent::Kind::lost, request_.uri.text, result.error().message, loop_.wall_now(), {}});
    }
    return;
  }
  answered_ = true;
  if (std::exchange(lost_, false)) {
    next_(StreamEvent{StreamEvent::Kind::resumed, request_.uri.text, {}, loop_.wall_now(), {}});
  }
  next_(std::move(*result));
}

}  // namespace aiot::cli
