#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <map>
#include <memory>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/coap/destination.h"
#include "core/coap/session_pool.h"
#include "core/loop/event_loop.h"

/// Inside the room only: what all operations of one client share.
namespace aiot::coap {

/// The deadlines of thousands of waits on one timer of the loop.
class Deadlines {
 public:
  using Id = std::pair<TimePoint, std::uint64_t>;
  explicit Deadlines(EventLoop& loop);
  /// Calls `function` at `when`, on a turn of its own.
  Id at(TimePoint when, UniqueFunction<void()> function);
  /// Harmless for one that has passed.
  void cancel(const Id& id) { waiting_.erase(id); }
  void clear();

 private:
  void arm();
  void fire();

  EventLoop& loop_;
  std::unique_ptr<Timer> timer_;
  std::map<Id, UniqueFunction<void()>> waiting_;
  std::uint64_t next_ = 1;
  TimePoint armed_ = TimePoint::max();
};

/// One operation of a caller. The core keeps it from start() until it is finished or cancelled.
class Task : public std::enable_shared_from_this<Task> {
 public:
  Task() = default;
  Task(const Task&) = delete;
  Task& operator=(const Task&) = delete;
  virtual ~Task() = default;
  /// Stops everything; no callback of the caller follows.
  virtual void cancel() = 0;
};

/// Sessions, destinations, deadlines and callbacks of one client. Whatever libcoap tells is handled in turns
/// of the loop that belong to nobody else (turn()), and callers are called at the end of them, so that a
/// caller may do anything, destroying the client included.
class ClientCore : public std::enable_shared_from_this<ClientCore> {
 public:
  ClientCore(EventLoop& loop, const ClientLimits& limits, ClientSecurity security = {});
  ClientCore(const ClientCore&) = delete;
  ClientCore& operator=(const ClientCore&) = delete;
  ~ClientCore();
  /// Cancels everything and closes every socket; harmless twice.
  void close();

  [[nodiscard]] EventLoop& loop() { return loop_; }
  [[nodiscard]] const ClientLimits& limits() const { return limits_; }
  [[nodiscard]] Deadlines& deadlines() { return deadlines_; }
  [[nodiscard]] ClientCounters& count() { return counters_; }
  [[nodiscard]] ClientCounters counters() const;

  /// The destination for `at`, made when needed. It lives at least as long as it has something to do.
  Destination& destination(const Endpoint& at);
  /// Keeps `task` until finished() or close(); the Operation cancels it.
  Operation start(const std::shared_ptr<Task>& task);
  void finished(Task& task);
  /// Calls a caller's function at the end of the next turn. After close() it is dropped.
  void later(UniqueFunction<void()> callback);
  /// A session outside of any destination: for multicast.
  Result<std::shared_ptr<Session>> make_session(const Endpoint& to, SessionUser& user) {
    return pool_.make(to, user);
  }

  // What destinations need.
  /// A session, null when there is none to be had yet: `at` is then told with start() later.
  Result<std::shared_ptr<Session>> session_for(Destination& at);
  /// To be called when what `at` has to do changed: it counts as idle, busy, pinned or gone from now on.
  void changed(Destination& at);

 private:
  void wake();
  void turn();
  void feed_starved();
  void close_idle(Destination& at);
  void on_idle_timer();
  [[nodiscard]] std::size_t counted_sessions() const { return pool_.size() - pinned_; }

  EventLoop& loop_;
  ClientLimits limits_;
  ClientCounters counters_;
  Deadlines deadlines_;
  SessionPool pool_;
  std::unordered_map<Endpoint, std::unique_ptr<Destination>, Endpoint::Hash> destinations_;
  std::unordered_map<Task*, std::shared_ptr<Task>> tasks_;
  std::vector<std::shared_ptr<Task>> retired_;
  std::deque<UniqueFunction<void()>> callbacks_;
  std::list<Destination*> idle_;   ///< the longest idle first
  std::deque<Endpoint> starved_;   ///< wait for a session
  std::vector<Endpoint> emptied_;  ///< may be forgotten
  std::size_t pinned_ = 0;         ///< destinations that observations hold
  std::unique_ptr<Timer> idle_timer_;
  bool feeding_ = false;
  bool woken_ = false;
  bool closed_ = false;
};

}  // namespace aiot::coap
