#include "core/mqttsn/subscriber.h"

#include <fmt/format.h>

#include "core/mqttsn/request_message.h"

namespace aiot::mqttsn {

Subscriber::Subscriber(EventLoop& loop, Request request, Completion<Response> first)
    : Dial(loop, request.uri), request_(std::move(request)), first_(std::move(first)) {}

Subscriber::Subscriber(EventLoop& loop, Request request, UniqueFunction<void(Client::Notification)> next,
                       Completion<> ended)
    : Dial(loop, request.uri),
      request_(std::move(request)),
      next_(std::move(next)),
      ended_(std::move(ended)) {}

void Subscriber::start() {
  deadline_ = loop().make_timer([this] { late(); });
  deadline_->start(request_.timeout);
  dial();
}

void Subscriber::cancel() {
  first_.dismiss();
  ended_.dismiss();
  deadline_.reset();
  hang_up();
}

void Subscriber::opened() { link()->subscribe(1, request_.uri.tail, subscription_qos(request_)); }

void Subscriber::answered(Ticket /*ticket*/, Result<> result) {
  if (!result) return failed(std::move(result).error());
  subscribed_ = true;
  if (ended_) deadline_->stop();  // an observation has its answer; a get waits for a message
}

void Subscriber::message(Message message) {
  if (message.retain && !request_.retained) return;
  auto response = response_of(request_.uri, std::move(message), loop().wall_now());
  if (ended_) return next_(std::move(response));
  auto first = std::move(first_);
  hang_up();
  first(std::move(response));
}

void Subscriber::failed(Error why) {
  auto first = std::move(first_);
  auto ended = std::move(ended_);
  deadline_->stop();
  hang_up();
  if (first) first(why);
  if (ended) ended(std::move(why));
}

void Subscriber::late() {
  if (!subscribed_) return failed(unanswered(request_.timeout));
  failed(make_error(Errc::timeout, fmt::format("no message on '{}' within {}", request_.uri.tail,
                                               format_duration(request_.timeout))));
}

void Subscriber::tell(StreamEvent::Kind kind, std::string reason) {
  if (!ended_ || !subscribed_) return;
  StreamEvent event;
  event.kind = kind;
  event.uri = request_.uri.text;
  event.reason = std::move(reason);
  event.time = loop().wall_now();
  next_(std::move(event));
}

}  // namespace aiot::mqttsn
