#include "core/mqtt/publisher.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/mqtt/handle.h"

namespace aiot::mqtt {

namespace {

/// A packet identifier is given out again after 65,535 others, SUBSCRIBEs' among them: as long as the oldest
/// unacknowledged message is younger than this, none is used twice.
constexpr std::uint64_t kIdentifiers = 60'000;

std::size_t size_of(const Message& message) { return message.topic.size() + message.payload.size(); }

}  // namespace

Publisher::Publisher(const SessionOptions& options)
    : max_window_(std::clamp<std::size_t>(options.window, 1, kIdentifiers)),
      window_(max_window_),
      max_queued_(options.max_queued),
      max_bytes_(options.max_queued_bytes) {}

bool Publisher::accepts(const Message& message) {
  // A message above the bound goes alone.
  const bool fits = waiting_.size() + handed_.size() < max_queued_ &&
                    (bytes_ == 0 || bytes_ + size_of(message) <= max_bytes_);
  if (!fits) refused_ = true;
  return fits;
}

void Publisher::add(Message message, Completion<> done) {
  ++published_;
  bytes_ += size_of(message);
  waiting_.push_back({std::move(message), std::move(done)});
}

bool Publisher::take_writable() {
  if (!refused_ || waiting_.size() + handed_.size() > max_queued_ / 2 || bytes_ > max_bytes_ / 2)
    return false;
  refused_ = false;
  return true;
}

void Publisher::connected(std::uint16_t receive_maximum) {
  window_ = receive_maximum == 0 ? max_window_ : std::min<std::size_t>(max_window_, receive_maximum);
}

void Publisher::feed(Handle& handle, Answers& answers) {
  while (!waiting_.empty() && handed_.size() < window_ &&
         (handed_.empty() || next_ - handed_.begin()->first < kIdentifiers)) {
    Outgoing outgoing = std::move(waiting_.front());
    waiting_.pop_front();
    auto mid = handle.publish(outgoing.message);
    if (!mid) {
      finish(outgoing, std::move(mid).error(), answers);
      continue;
    }
    outgoing.mid = *mid;
    by_mid_[*mid] = next_;
    handed_.emplace(next_++, std::move(outgoing));
  }
}

void Publisher::published(int mid, int reason, Answers& answers) {
  const auto known = by_mid_.find(mid);
  if (known == by_mid_.end()) return;
  const auto found = handed_.find(known->second);
  by_mid_.erase(known);
  Outgoing outgoing = std::move(found->second);
  handed_.erase(found);
  if (reason < 0x80) {
    finish(outgoing, {}, answers);
  } else {
    const auto code = reason == 0x87 ? Errc::unauthorized : Errc::rejected;
    finish(outgoing,
           make_error(code,
                      fmt::format("the server refused the message to {}: {}",
                                  text::escape_controls(outgoing.message.topic), reason_text(reason)),
                      reason),
           answers);
  }
}

void Publisher::lost(bool kept) {
  std::deque<Outgoing> again;
  for (auto at = handed_.begin(); at != handed_.end();) {
    if (kept && at->second.message.qos > 0) {
      ++at;
      continue;
    }
    by_mid_.erase(at->second.mid);
    again.push_back(std::move(at->second));
    at = handed_.erase(at);
  }
  waiting_.insert(waiting_.begin(), std::make_move_iterator(again.begin()),
                  std::make_move_iterator(again.end()));
}

void Publisher::fail(const Error& why, Answers& answers) {
  lost(false);
  for (; !waiting_.empty(); waiting_.pop_front()) finish(waiting_.front(), why, answers);
}

bool Publisher::has_half_done() const {
  return std::any_of(handed_.begin(), handed_.end(),
                     [](const auto& entry) { return entry.second.message.qos == 2; });
}

void Publisher::count(SessionCounters& counters) const {
  counters.published = published_;
  counters.acknowledged = acknowledged_;
  counters.failed = failed_;
  counters.queued = waiting_.size() + handed_.size();
}

void Publisher::finish(Outgoing& outgoing, Result<void> result, Answers& answers) {
  bytes_ -= size_of(outgoing.message);
  ++(result ? acknowledged_ : failed_);
  answers.emplace_back(std::move(outgoing.done), std::move(result));
}

}  // namespace aiot::mqtt
