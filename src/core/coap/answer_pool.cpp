#include "core/coap/answer_pool.h"

#include <functional>
#include <utility>

namespace aiot::coap {
namespace {

const std::vector<std::string> kNoPath;

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) {
  seed ^= value + 0x9E3779B97F4A7C15ULL + (seed << 6) + (seed >> 2);
  return seed * 0xFF51AFD7ED558CCDULL;
}

std::uint64_t mix(std::uint64_t seed, std::string_view text) {
  return mix(mix(seed, text.size()), std::hash<std::string_view>{}(text));
}

std::uint64_t mix(std::uint64_t seed, const std::optional<std::uint32_t>& value) {
  return mix(seed, value ? std::uint64_t{1} << 32 | *value : 0);
}

}  // namespace

/// An answer taken apart around the quoted request.
struct AnswerPool::Parts {
  const AnswerView& head;
  const std::vector<std::string>& path;
  bool quotes = false;
  std::string_view before;
  std::string_view after;

  [[nodiscard]] std::uint64_t hash() const {
    std::uint64_t seed = mix(quotes ? 2 : 1, std::uint64_t{head.code});
    if (head.content_format) seed = mix(seed, std::uint64_t{*head.content_format} + 1);
    for (const auto& option : {head.max_age, head.block1, head.block2, head.size1, head.size2})
      seed = mix(seed, option);
    seed = mix(seed, head.etag);
    for (const auto& segment : path) seed = mix(seed, std::string_view(segment));
    return mix(mix(seed, before), after);
  }
};

AnswerView KeptAnswer::view(std::string_view request_payload, std::string& scratch) const {
  AnswerView out = head;
  out.etag = etag;
  out.location_path = location_path.empty() ? nullptr : &location_path;
  out.payload = before;
  if (quotes_request) {
    scratch.assign(before).append(request_payload).append(after);
    out.payload = scratch;
  }
  return out;
}

AnswerPool::Parts AnswerPool::parts_of(const AnswerView& answer, std::string_view request_payload) {
  const auto& path = answer.location_path != nullptr ? *answer.location_path : kNoPath;
  if (request_payload.size() >= kMinQuote) {
    if (const auto at = answer.payload.find(request_payload); at != std::string_view::npos)
      return {answer, path, true, answer.payload.substr(0, at),
              answer.payload.substr(at + request_payload.size())};
  }
  return {answer, path, false, answer.payload, {}};
}

bool AnswerPool::same(const KeptAnswer& kept, const Parts& parts) {
  const auto& a = kept.head;
  const auto& b = parts.head;
  return a.code == b.code && kept.quotes_request == parts.quotes && kept.before == parts.before &&
         kept.after == parts.after && a.content_format == b.content_format && a.max_age == b.max_age &&
         a.block1 == b.block1 && a.block2 == b.block2 && a.size1 == b.size1 && a.size2 == b.size2 &&
         kept.etag == b.etag && kept.location_path == parts.path;
}

std::uint32_t AnswerPool::put(const AnswerView& answer, std::string_view request_payload) {
  if (answer.payload.size() > kMaxPayload) return kNothing;
  const auto parts = parts_of(answer, request_payload);
  if (last_ < entries_.size()) {
    if (auto& entry = entries_[last_]; entry.occupied && same(entry.answer, parts)) {
      entry.used = true;
      return entry.id;
    }
  }
  const auto hash = parts.hash();
  if (const auto found = index_.find(hash); found != index_.end()) {
    auto& entry = entries_[found->second];
    if (same(entry.answer, parts)) {
      entry.used = true;
      last_ = found->second;
      return entry.id;
    }
    drop(entry);  // another answer with the same hash: the newer one has the place
  }

  const auto place = vacant();
  auto& entry = entries_[place];
  // Ids of a place are place + 1, then that plus kMaxAnswers for each reuse: an old id never names a new
  // answer.
  entry.id = entry.id == kNothing ? place + 1 : entry.id + kMaxAnswers;
  if (entry.id == kNothing || entry.id >= kReserved) entry.id = place + 1;
  entry.occupied = true;
  entry.hash = hash;
  entry.used = false;
  entry.answer.head = answer;
  entry.answer.head.payload = {};
  entry.answer.head.etag = {};
  entry.answer.head.location_path = nullptr;
  entry.answer.etag = answer.etag;
  entry.answer.location_path = parts.path;
  entry.answer.quotes_request = parts.quotes;
  entry.answer.before = parts.before;
  entry.answer.after = parts.after;
  entry.bytes = sizeof(Entry) + answer.payload.size() + answer.etag.size();
  for (const auto& segment : parts.path) entry.bytes += sizeof(std::string) + segment.size();
  bytes_ += entry.bytes;
  index_[hash] = place;
  last_ = place;
  return entry.id;
}

const KeptAnswer* AnswerPool::get(std::uint32_t id) {
  if (id == kNothing) return nullptr;
  const auto place = (id - 1) % kMaxAnswers;
  if (place >= entries_.size() || entries_[place].id != id || !entries_[place].occupied) return nullptr;
  entries_[place].used = true;
  return &entries_[place].answer;
}

std::uint32_t AnswerPool::vacant() {
  if (entries_.size() < kMaxAnswers && bytes_ <= kMaxBytes) {
    entries_.emplace_back();
    return static_cast<std::uint32_t>(entries_.size() - 1);
  }
  for (;;) {
    const auto place = hand_;
    hand_ = (hand_ + 1) % static_cast<std::uint32_t>(entries_.size());
    auto& entry = entries_[place];
    if (std::exchange(entry.used, false)) continue;
    if (entry.occupied) drop(entry);
    if (bytes_ <= kMaxBytes) return place;
  }
}

void AnswerPool::drop(Entry& entry) {
  bytes_ -= entry.bytes;
  index_.erase(entry.hash);
  entry.occupied = entry.used = false;
  entry.bytes = 0;
  entry.answer = {};
}

}  // namespace aiot::coap
