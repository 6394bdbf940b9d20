#pragma once

#include <memory>
#include <utility>

#include "core/base/completion.h"
#include "core/loop/event_loop.h"

namespace aiot {

/// The handle of `work`: cancelling silences it at once (`work->cancel()`) and frees it a turn later, because
/// the call may come from one of its own callbacks.
template <class Work>
Operation handle_of(EventLoop& loop, std::shared_ptr<Work> work) {
  return Operation([&loop, work = std::move(work)]() mutable {
    work->cancel();
    loop.post([work = std::move(work)] {});
  });
}

/// Answers `done` with `error` on the next turn, unless cancelled before.
template <class T>
Operation refuse(EventLoop& loop, Error error, Completion<T> done) {
  auto kept = std::make_shared<Completion<T>>(std::move(done));
  loop.post([kept, error = std::move(error)] { (*kept)(error); });
  return Operation([kept] { kept->dismiss(); });
}

}  // namespace aiot
