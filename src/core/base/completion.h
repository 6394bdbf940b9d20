#pragma once

#include <memory>
#include <utility>

#include "core/base/function.h"
#include "core/base/result.h"

namespace aiot {

/// The promise of exactly one answer: move-only, called once with a Result<T>, never inside the
/// call that took it; dropped without a call it reports Errc::abandoned.
template <class T = void>
class Completion {
 public:
  Completion() = default;
  template <class F>
  requires(!std::is_same_v<std::decay_t<F>, Completion> && std::is_invocable_v<std::decay_t<F>&, Result<T>>)
      Completion(F&& callable)
      : callable_(std::forward<F>(callable)) {}

  Completion(Completion&& other) noexcept : callable_(std::exchange(other.callable_, nullptr)) {}
  Completion& operator=(Completion&& other) noexcept {
    if (this != &other) {
      abandon();
      callable_ = std::exchange(other.callable_, nullptr);
    }
    return *this;
  }
  Completion(const Completion&) = delete;
  Completion& operator=(const Completion&) = delete;
  ~Completion() { abandon(); }

  /// True until it is called, moved from or dismissed.
  explicit operator bool() const { return static_cast<bool>(callable_); }

  /// Answers; a second call does nothing.
  void operator()(Result<T> result) {
    if (auto callable = std::exchange(callable_, nullptr)) callable(std::move(result));
  }

  /// Forgets the callback without calling it: what cancelling does.
  void dismiss() { callable_ = nullptr; }

 private:
  void abandon() {
    if (callable_) (*this)(make_error(Errc::abandoned, "the operation was dropped unanswered"));
  }
  UniqueFunction<void(Result<T>)> callable_;
};

/// The handle of something under way: destroying it cancels, and nothing is called afterwards.
class [[nodiscard]] Operation {
 public:
  Operation() = default;
  explicit Operation(UniqueFunction<void()> cancel) : cancel_(std::move(cancel)) {}
  Operation(Operation&& other) noexcept : cancel_(std::exchange(other.cancel_, nullptr)) {}
  Operation& operator=(Operation&& other) noexcept {
    if (this != &other) {
      cancel();
      cancel_ = std::exchange(other.cancel_, nullptr);
    }
    return *this;
  }
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;
  ~Operation() { cancel(); }

  /// Cancels now; harmless after completion and when empty.
  void cancel() {
    if (auto cancel = std::exchange(cancel_, nullptr)) cancel();
  }

 private:
  UniqueFunction<void()> cancel_;
};

}  // namespace aiot
