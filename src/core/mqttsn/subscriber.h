#pragma once

#include <memory>

#include "core/client.h"
#include "core/mqttsn/dial.h"

namespace aiot::mqttsn {

/// Inside the room only: a subscription with a connection of its own, since retained messages come to
/// whoever subscribes and to nobody else. The first message is a get, all of them are an observe.
class Subscriber final : public Dial {
 public:
  Subscriber(EventLoop& loop, Request request, Completion<Response> first);
  Subscriber(EventLoop& loop, Request request, UniqueFunction<void(Client::Notification)> next,
             Completion<> ended);
  void start();
  void cancel();

 private:
  void opened() override;
  void failed(Error why) override;
  void message(Message message) override;
  void answered(Ticket ticket, Result<> result) override;
  void away(const Error& why) override { tell(StreamEvent::Kind::lost, why.message); }
  void back() override { tell(StreamEvent::Kind::resumed, {}); }
  void tell(StreamEvent::Kind kind, std::string reason);
  void late();

  Request request_;
  Completion<Response> first_;
  UniqueFunction<void(Client::Notification)> next_;
  Completion<> ended_;
  std::unique_ptr<Timer> deadline_;
  bool subscribed_ = false;
};

}  // namespace aiot::mqttsn
