#include "daemon/broker/idempotency.h"

#include <functional>
#include <utility>

namespace aiot::broker {
namespace {

/// Repeats that may wait for one outcome; a further one is told to come again.
constexpr std::size_t kMaxWaiting = 16;

}  // namespace

void Idempotency::forget_old(TimePoint now) {
  while (!order_.empty() && (now - order_.front().first > kRemember || entries_.size() >= kMaxKeys)) {
    const auto found = entries_.find(order_.front().second);
    if (found != entries_.end() && found->second.since == order_.front().first) entries_.erase(found);
    order_.pop_front();
  }
}

Idempotency::Verdict Idempotency::begin(const std::string& key, std::string_view fingerprint, TimePoint now,
                                        ws::HttpResponder& responder) {
  const std::size_t print = std::hash<std::string_view>{}(fingerprint);
  const auto found = entries_.find(key);
  if (found != entries_.end() && now - found->second.since <= kRemember) {
    Entry& entry = found->second;
    if (entry.fingerprint != print) return Verdict::mismatch;
    if (entry.response) {
      responder.reply(*entry.response);
    } else if (entry.waiting.size() < kMaxWaiting) {
      entry.waiting.push_back(std::move(responder));
    } else {
      ws::HttpResponse busy;
      busy.status = 503;
      responder.reply(std::move(busy));
    }
    return Verdict::answered;
  }
  forget_old(now);
  entries_[key] = Entry{print, now, std::nullopt, {}};
  order_.emplace_back(now, key);
  return Verdict::act;
}

void Idempotency::finish(const std::string& key, const ws::HttpResponse& response, bool keep) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  auto waiting = std::move(found->second.waiting);
  if (keep) {
    found->second.response = response;
  } else {
    entries_.erase(found);
  }
  for (ws::HttpResponder& responder : waiting) responder.reply(response);
}

}  // namespace aiot::broker
