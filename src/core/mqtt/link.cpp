#include "core/mqtt/link.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/codec/topic.h"

namespace aiot::mqtt {

namespace {

/// As much as a command reads whole anywhere else.
constexpr std::size_t kMaxPacket = 64UL * 1024 * 1024;

SessionOptions options_of(const Uri& uri, const ClientOptions& options, Duration timeout) {
  SessionOptions out;
  out.max_packet = kMaxPacket;
  out.host = uri.zone.empty() ? uri.host : uri.host + "%" + uri.zone;
  out.port = uri.port;
  if (uri.scheme == "mqtts") out.tls = options.tls;
  out.version = options.version;
  out.client_id = options.client_id;
  out.user = options.user;
  out.password = options.password;
  out.timeout = timeout;
  return out;
}

}  // namespace

Link::Link(EventLoop& loop, const Uri& uri, const ClientOptions& options, Duration timeout)
    : loop_(loop),
      timeout_(timeout),
      options_(options_of(uri, options, timeout)),
      stall_timer_(loop.make_timer([this] { stalled(); })),
      end_timer_(loop.make_timer([this] { end(*last_failure_, outcome_); })) {}

Link::~Link() {
  for (auto& [number, done] : pending_) done.dismiss();
}

void Link::start() {
  Session::Callbacks callbacks;
  callbacks.connected = [this](bool) { connected_again(); };
  callbacks.disconnected = [this](const Error& why) { disconnected(why); };
  callbacks.received = [this](const Message& message, Completion<> stored) {
    deliver(message, std::move(stored));
  };
  session_ = Session::make(loop_, options_, std::move(callbacks));
  if (auto started = session_->start(); !started) {
    last_failure_ = started.error();
    outcome_ = Outcome::not_sent;
    end_timer_->start(Duration(0));
  }
}

bool Link::overlaps(const std::string& filter) const {
  return std::any_of(readers_.begin(), readers_.end(),
                     [&](const auto& reader) { return filters_overlap(reader->filter(), filter); });
}

void Link::add(const std::shared_ptr<Reader>& reader) {
  readers_.push_back(reader);
  session_->subscribe(reader->filter(), reader->options(),
                      [weak = std::weak_ptr<Reader>(reader)](Result<void> result) {
                        if (auto told = weak.lock()) told->subscribed(std::move(result));
                      });
}

void Link::remove(const Reader* reader) {
  const auto found =
      std::find_if(readers_.begin(), readers_.end(), [&](const auto& one) { return one.get() == reader; });
  if (found == readers_.end()) return;
  if (session_) session_->unsubscribe(reader->filter());
  readers_.erase(found);
}

void Link::publish(Message message, Completion<> done) {
  if (pending_.empty() && connected()) stall_timer_->start(timeout_);
  const auto number = next_++;
  pending_.emplace(number, std::move(done));
  session_->publish(std::move(message), [this, number](Result<void> result) {
    auto found = pending_.extract(number);
    if (found.empty()) return;
    // Progress of any is progress: the broker answers.
    if (pending_.empty()) {
      stall_timer_->stop();
    } else {
      stall_timer_->start(timeout_);
    }
    if (!result) {
      Error& error = result.error();
      error.outcome = error.code == Errc::usage                                          ? Outcome::not_sent
                      : error.code == Errc::rejected || error.code == Errc::unauthorized ? Outcome::rejected
                                                                                         : Outcome::unknown;
    }
    found.mapped()(std::move(result));
  });
}

void Link::connected_again() {
  const bool again = std::exchange(ever_connected_, true);
  last_failure_.reset();
  if (!pending_.empty()) stall_timer_->start(timeout_);
  if (!again) return;
  const auto self = shared_from_this();
  for (const auto& reader : std::vector(readers_)) reader->resumed();
}

void Link::disconnected(const Error& why) {
  const bool was_connected = !last_failure_;
  last_failure_ = why;
  if (!ever_connected_) {
    outcome_ = Outcome::not_sent;
    end_timer_->start(Duration(0));  // outside of the session's callback
    return;
  }
  if (!pending_.empty() && (was_connected || !stall_timer_->armed())) stall_timer_->start(timeout_);
  if (!was_connected) return;
  const auto self = shared_from_this();
  for (const auto& reader : std::vector(readers_)) reader->lost(why);
}

void Link::deliver(const Message& message, Completion<> stored) {
  const auto self = shared_from_this();
  for (const auto& reader : std::vector(readers_)) {
    if (topic_matches(unshared(reader->filter()), message.topic)) reader->received(message);
  }
  stored(Result<>());
}

void Link::stalled() {
  if (connected()) {
    last_failure_ =
        make_error(Errc::timeout, fmt::format("{}:{}: no acknowledgement within {}", options_.host,
                                              options_.port, format_duration(timeout_)));
  } else if (!last_failure_) {
    last_failure_ =
        make_error(Errc::unreachable, fmt::format("{}:{}: no connection", options_.host, options_.port));
  }
  end(*last_failure_, Outcome::unknown);
}

void Link::end(const Error& why, Outcome outcome) {
  const auto self = shared_from_this();
  dead_ = true;
  stall_timer_->stop();
  Error told = why;
  told.outcome = outcome;
  // What is on its way fails with it: the session tells nothing when it goes.
  for (auto& [number, done] : std::exchange(pending_, {})) done(told);
  for (const auto& reader : std::exchange(readers_, {})) reader->failed(why);
  session_.reset();
}

}  // namespace aiot::mqtt
