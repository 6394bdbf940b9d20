#include "core/coap/client_core.h"

#include <sys/resource.h>

#include <algorithm>

namespace aiot::coap {
namespace {

/// At most three of four descriptors the process may have; the rest is for its other work.
std::size_t affordable(std::size_t wanted) {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return wanted;
  return std::clamp<std::size_t>(wanted, 1, std::max<std::size_t>(limit.rlim_cur / 4 * 3, 16));
}

/// Errc::internal of a new session or context: the process has no descriptors left.
bool out_of_descriptors(const Error& error) { return error.code == Errc::internal; }

}  // namespace

// ---- Deadlines ----

Deadlines::Deadlines(EventLoop& loop) : loop_(loop), timer_(loop.make_timer([this] { fire(); })) {}

Deadlines::Id Deadlines::at(TimePoint when, UniqueFunction<void()> function) {
  const Id id{when, next_++};
  waiting_.emplace(id, std::move(function));
  arm();
  return id;
}

void Deadlines::clear() {
  waiting_.clear();
  timer_->stop();
  armed_ = TimePoint::max();
}

void Deadlines::arm() {
  if (waiting_.empty()) return;
  // A timer that fires for a deadline since cancelled is cheaper than moving it at every cancellation.
  const auto first = waiting_.begin()->first.first;
  if (first >= armed_) return;
  armed_ = first;
  timer_->start(std::max(first - loop_.now(), Duration::zero()));
}

void Deadlines::fire() {
  armed_ = TimePoint::max();
  const auto now = loop_.now();
  while (!waiting_.empty() && waiting_.begin()->first.first <= now) {
    auto due = waiting_.extract(waiting_.begin());
    due.mapped()();
  }
  arm();
}

// ---- ClientCore ----

ClientCore::ClientCore(EventLoop& loop, const ClientLimits& limits, ClientSecurity security)
    : loop_(loop),
      limits_(limits),
      deadlines_(loop),
      pool_(loop, limits, std::move(security), [this] { wake(); }) {
  limits_.max_sessions = affordable(std::max<std::size_t>(limits.max_sessions, 1));
}

ClientCore::~ClientCore() { close(); }

void ClientCore::close() {
  if (std::exchange(closed_, true)) return;
  callbacks_.clear();
  const auto tasks = std::exchange(tasks_, {});
  for (const auto& [raw, task] : tasks) task->cancel();
  deadlines_.clear();
  idle_.clear();
  idle_timer_.reset();
  starved_.clear();
  destinations_.clear();
  pool_.close();
}

ClientCounters ClientCore::counters() const {
  auto counters = counters_;
  counters.sessions = pool_.size();
  return counters;
}

Destination& ClientCore::destination(const Endpoint& at) {
  auto& place = destinations_[at];
  if (!place) place = std::make_unique<Destination>(*this, at);
  return *place;
}

Operation ClientCore::start(const std::shared_ptr<Task>& task) {
  tasks_.emplace(task.get(), task);
  return Operation([weak = std::weak_ptr<Task>(task)] {
    if (const auto alive = weak.lock()) alive->cancel();
  });
}

void ClientCore::finished(Task& task) {
  const auto at = tasks_.find(&task);
  if (at == tasks_.end()) return;
  // It may be on the stack right now.
  retired_.push_back(std::move(at->second));
  tasks_.erase(at);
  wake();
}

void ClientCore::later(UniqueFunction<void()> callback) {
  if (closed_) return;
  callbacks_.push_back(std::move(callback));
  wake();
}

void ClientCore::wake() {
  if (woken_ || closed_) return;
  woken_ = true;
  loop_.post([weak = weak_from_this()] {
    if (const auto self = weak.lock()) self->turn();
  });
}

void ClientCore::turn() {
  woken_ = false;
  if (closed_) return;
  pool_.dispatch();
  auto callbacks = std::exchange(callbacks_, {});
  while (!callbacks.empty() && !closed_) {
    auto callback = std::move(callbacks.front());
    callbacks.pop_front();
    callback();
  }
  // After the callers, so that a session is not taken from one who uses it again at once.
  if (!closed_) feed_starved();
  if (!closed_) {
    for (const auto& endpoint : std::exchange(emptied_, {})) {
      const auto at = destinations_.find(endpoint);
      if (at == destinations_.end()) continue;
      auto& destination = *at->second;
      if (destination.idle_at && !endpoint.local.empty()) close_idle(destination);
      if (!destination.busy() && !destination.pinned() && !destination.has_session() && !destination.starving)
        destinations_.erase(at);
    }
  }
  const auto retired = std::exchange(retired_, {});
}

Result<std::shared_ptr<Session>> ClientCore::session_for(Destination& at) {
  const auto starve = [&]() -> std::shared_ptr<Session> {
    if (!at.starving) starved_.push_back(at.endpoint());
    at.starving = true;
    return nullptr;
  };
  if (closed_) return make_error(Errc::abandoned, "the client is gone");
  if (!feeding_ && !starved_.empty()) return starve();
  if (counted_sessions() >= limits_.max_sessions) {
    if (idle_.empty()) return starve();
    close_idle(*idle_.front());
  }
  auto made = pool_.make(at.endpoint(), at);
  if (!made && out_of_descriptors(made.error())) {
    if (!idle_.empty()) {
      close_idle(*idle_.front());
      made = pool_.make(at.endpoint(), at);
    }
    if (!made && out_of_descriptors(made.error()) && counted_sessions() > 0) return starve();
  }
  return made;
}

void ClientCore::changed(Destination& at) {
  if (closed_) return;
  const bool holds = at.has_session() && at.pinned();
  if (holds != at.counted_pinned) {
    at.counted_pinned = holds;
    pinned_ += holds ? 1 : std::size_t(-1);
  }
  const bool idle = at.has_session() && !at.busy() && !at.pinned();
  if (idle && !at.idle_at) {
    at.idle_since = loop_.now();
    at.idle_at = idle_.insert(idle_.end(), &at);
    if (!idle_timer_) idle_timer_ = loop_.make_timer([this] { on_idle_timer(); });
    if (!idle_timer_->armed()) idle_timer_->start(limits_.idle_session);
    if (!at.endpoint().local.empty()) emptied_.push_back(at.endpoint());
    if (!starved_.empty() || !emptied_.empty()) wake();
  } else if (!idle && at.idle_at) {
    idle_.erase(*at.idle_at);
    at.idle_at.reset();
  }
  if (!at.has_session() && !at.busy() && !at.pinned()) {
    emptied_.push_back(at.endpoint());
    wake();
  }
}

void ClientCore::close_idle(Destination& at) {
  at.close_session();
  changed(at);
}

void ClientCore::feed_starved() {
  feeding_ = true;
  for (auto left = starved_.size(); left > 0; --left) {
    if (counted_sessions() >= limits_.max_sessions && idle_.empty()) break;
    const auto endpoint = starved_.front();
    starved_.pop_front();
    const auto at = destinations_.find(endpoint);
    if (at == destinations_.end()) continue;
    at->second->starving = false;
    at->second->start();
    if (at->second->starving) break;  // no descriptors: the next time
  }
  feeding_ = false;
}

void ClientCore::on_idle_timer() {
  const auto now = loop_.now();
  while (!idle_.empty() && idle_.front()->idle_since + limits_.idle_session <= now)
    close_idle(*idle_.front());
  if (!idle_.empty()) idle_timer_->start(idle_.front()->idle_since + limits_.idle_session - now);
}

}  // namespace aiot::coap
