#pragma once

#include "core/coap/attempt.h"

/// Inside the room only: Client::request().
namespace aiot::coap {

class RequestTask final : public Task {
 public:
  RequestTask(ClientCore& core, Request request, SocketAddress local, Completion<Response> done);
  /// Once, after the core has taken it.
  void begin();
  void cancel() override;

 private:
  void on_result(std::variant<Answer, Failure> result);
  void answer(Result<Response> result);

  ClientCore& core_;
  Request request_;
  SocketAddress local_;
  Completion<Response> done_;
  std::shared_ptr<Attempt> attempt_;
};

}  // namespace aiot::coap
