#include "daemon/broker/idempotency.h"

#include <algorithm>
#include <utility>

#include "daemon/broker/problem.h"
#include "daemon/wire/json_reader.h"
#include "daemon/wire/json_writer.h"

namespace aiot::broker {
namespace {

/// Repeats that may wait for one outcome; a further one is told to come again.
constexpr std::size_t kMaxWaiting = 16;
constexpr std::size_t kMaxKept = 1024 * 1024;

/// FNV-1a, which later versions compute alike.
std::uint64_t fingerprint_of(std::string_view text) {
  std::uint64_t out = 14695981039346656037ULL;
  for (const char c : text) out = (out ^ static_cast<std::uint8_t>(c)) * 1099511628211ULL;
  return out;
}

/// The response that a kept outcome names; nothing while it is not known.
bool read_outcome(std::string_view text, std::uint64_t& fingerprint,
                  std::optional<ws::HttpResponse>& response) {
  wire::JsonReader reader(text);
  std::string_view name;
  ws::HttpResponse out;
  bool known = false;
  reader.enter_object();
  while (reader.next_member(name)) {
    std::uint64_t status = 0;
    if (name == "fingerprint") {
      reader.read_unsigned(fingerprint);
    } else if (name == "status") {
      known = reader.read_unsigned(status) && status >= 100 && status < 600;
      out.status = static_cast<int>(status);
    } else if (name == "type") {
      reader.read_string(out.content_type, 256);
    } else if (name == "body") {
      reader.read_string(out.body, kMaxKept);
    } else {
      reader.skip();
    }
  }
  if (!reader.finish()) return false;
  if (known) response = std::move(out);
  return true;
}

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
  const std::uint64_t print = fingerprint_of(fingerprint);
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
  Entry& entry = entries_[key] = Entry{print, now, std::nullopt, {}};
  order_.emplace_back(now, key);
  keep(key, entry);
  return Verdict::act;
}

void Idempotency::finish(const std::string& key, const ws::HttpResponse& response, bool acted) {
  const auto found = entries_.find(key);
  if (found == entries_.end()) return;
  auto waiting = std::move(found->second.waiting);
  if (acted) {
    found->second.response = response;
    keep(key, found->second);
  } else {
    entries_.erase(found);
    if (store_ != nullptr) store_->write({key, {}, {}});
    // Of keys that were forgotten the order keeps what nobody asks for; not without a bound.
    if (order_.size() > 2 * kMaxKeys) {
      std::erase_if(order_, [this](const auto& each) {
        const auto entry = entries_.find(each.second);
        return entry == entries_.end() || entry->second.since != each.first;
      });
    }
  }
  for (ws::HttpResponder& responder : waiting) responder.reply(response);
}

void Idempotency::keep(const std::string& key, const Entry& entry) {
  if (store_ == nullptr) return;
  std::string outcome;
  wire::JsonWriter json(outcome);
  json.open_object();
  json.number("fingerprint", entry.fingerprint);
  if (entry.response) {
    json.number("status", entry.response->status);
    json.string("type", entry.response->content_type);
    json.string("body", entry.response->body);
  }
  json.close_object();
  store_->write({key, loop_->wall_now(), std::move(outcome)});
}

void Idempotency::restore(std::vector<store::KeptWrite> writes, TimePoint now, WallTime wall) {
  std::sort(writes.begin(), writes.end(), [](const auto& a, const auto& b) { return a.begun < b.begun; });
  for (auto& kept : writes) {
    const Duration age = std::max(Duration(0), Duration(wall - kept.begun));
    if (age > kRemember || kept.key.empty()) continue;
    Entry entry;
    entry.since = now - age;
    if (!read_outcome(kept.outcome, entry.fingerprint, entry.response)) continue;
    if (!entry.response) {
      entry.response = node_problem(
          Error{Errc::timeout, "the broker stopped before the node had confirmed", 0, Outcome::unknown});
    }
    order_.emplace_back(entry.since, kept.key);
    entries_[kept.key] = std::move(entry);
  }
}

}  // namespace aiot::broker
