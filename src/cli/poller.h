#pragma once

#include <memory>

#include "core/client.h"
#include "core/loop/event_loop.h"

namespace aiot::cli {

/// Follows what cannot be observed (--poll): a request each interval, with the same notifications as
/// Client::observe. After the first answer it goes on for ever, a failure is one `lost` and the next answer
/// `resumed`.
class Poller {
 public:
  /// Starts at once. `done` is called only when the first request fails.
  Poller(EventLoop& loop, Client& client, Request request, Duration interval,
         UniqueFunction<void(Client::Notification)> next, Completion<> done);

 private:
  void ask();
  void answered(Result<Response> result);

  EventLoop& loop_;
  Client& client_;
  Request request_;
  Duration interval_;
  UniqueFunction<void(Client::Notification)> next_;
  Completion<> done_;
  TimePoint asked_{};
  bool answered_ = false;
  bool lost_ = false;
  std::unique_ptr<Timer> timer_;
  Operation operation_;
};

}  // namespace aiot::cli
