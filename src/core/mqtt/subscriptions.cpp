#include "core/mqtt/subscriptions.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <tuple>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/codec/topic.h"
#include "core/mqtt/handle.h"

namespace aiot::mqtt {

namespace {

/// In one SUBSCRIBE.
constexpr std::size_t kMaxFilters = 100;
constexpr std::size_t kMaxFilterBytes = 32 * 1024;

auto key(const SubscribeOptions& options) {
  return std::tie(options.qos, options.no_local, options.retained, options.retain_as_published,
                  options.identifier);
}

}  // namespace

void Subscriptions::add(const std::string& filter, const SubscribeOptions& options, Completion<> done) {
  Entry& entry = entries_[filter];
  entry.options = options;
  entry.to_tell = true;
  entry.waiting.push_back(std::move(done));
}

bool Subscriptions::remove(const std::string& filter) {
  const auto found = entries_.find(filter);
  if (found == entries_.end()) return false;
  for (auto& done : found->second.waiting) done.dismiss();
  entries_.erase(found);
  return true;
}

void Subscriptions::connected(bool kept) {
  if (kept) return;
  for (auto& [filter, entry] : entries_) entry.to_tell = true;
}

void Subscriptions::feed(Handle& handle, TimePoint now, Answers& answers) {
  for (auto first = entries_.begin(); first != entries_.end(); ++first) {
    if (!first->second.to_tell) continue;
    Batch batch;
    batch.sent = now;
    std::size_t bytes = 0;
    for (auto at = first;
         at != entries_.end() && batch.filters.size() < kMaxFilters && bytes < kMaxFilterBytes; ++at) {
      Entry& entry = at->second;
      if (!entry.to_tell || key(entry.options) != key(first->second.options)) continue;
      entry.to_tell = false;
      bytes += at->first.size();
      batch.filters.push_back(at->first);
      batch.waiting.push_back(std::exchange(entry.waiting, {}));
    }
    auto mid = handle.subscribe(batch.filters, first->second.options);
    if (mid) {
      sent_.insert_or_assign(*mid, std::move(batch));
    } else {
      for (auto& waiting : batch.waiting) answer(std::move(waiting), mid.error(), answers);
    }
  }
}

void Subscriptions::acknowledged(int mid, const std::vector<int>& codes, Answers& answers) {
  const auto found = sent_.find(mid);
  if (found == sent_.end()) return;
  Batch batch = std::move(found->second);
  sent_.erase(found);
  for (std::size_t i = 0; i < batch.filters.size(); ++i) {
    const std::string& filter = batch.filters[i];
    const int code = i < codes.size() ? codes[i] : 0x80;
    if (code < 0x80) {
      answer(std::move(batch.waiting[i]), {}, answers);
      continue;
    }
    const auto error =
        make_error(Errc::rejected,
                   fmt::format("the server refused the subscription to {}{}", text::escape_controls(filter),
                               code == 0x80 ? std::string() : fmt::format(": {}", reason_text(code))),
                   code);
    const auto entry = entries_.find(filter);
    if (!batch.waiting[i].empty()) {
      if (entry != entries_.end() && !entry->second.to_tell) entries_.erase(entry);
    } else if (entry != entries_.end()) {
      log::warn("{}; it is asked again with the next connection", error.message);
    }
    answer(std::move(batch.waiting[i]), error, answers);
  }
}

void Subscriptions::lost() {
  for (auto& [mid, batch] : std::exchange(sent_, {})) {
    for (std::size_t i = 0; i < batch.filters.size(); ++i) {
      const auto entry = entries_.find(batch.filters[i]);
      if (entry == entries_.end()) {
        for (auto& done : batch.waiting[i]) done.dismiss();
        continue;
      }
      entry->second.to_tell = true;
      std::move(batch.waiting[i].begin(), batch.waiting[i].end(), std::back_inserter(entry->second.waiting));
    }
  }
}

void Subscriptions::fail(const Error& why, Answers& answers) {
  lost();
  for (auto& [filter, entry] : entries_) answer(std::exchange(entry.waiting, {}), why, answers);
}

bool Subscriptions::waits_since(TimePoint time) const {
  return std::any_of(sent_.begin(), sent_.end(), [&](const auto& entry) { return entry.second.sent < time; });
}

bool Subscriptions::wants_retained(const std::string& topic) const {
  return std::any_of(entries_.begin(), entries_.end(), [&](const auto& entry) {
    return entry.second.options.retained && topic_matches(unshared(entry.first), topic);
  });
}

void Subscriptions::answer(Waiting waiting, const Result<void>& result, Answers& answers) {
  for (auto& done : waiting) answers.emplace_back(std::move(done), result);
}

}  // namespace aiot::mqtt
