#include "core/coap/body_table.h"

#include <algorithm>
#include <utility>

namespace aiot::coap {

std::optional<Slice> slice(std::string_view payload, const Block& wanted, std::uint8_t largest) {
  // A peer may ask for a number in its own, larger size: the offset is what counts.
  const auto offset = wanted.offset();
  Block block = wanted;
  block.szx = std::min(wanted.szx, largest);
  block.number = static_cast<std::uint32_t>(offset / block.size());
  if (offset > 0 && offset >= payload.size()) return std::nullopt;
  const auto piece = payload.substr(offset, block.size());
  block.more = offset + piece.size() < payload.size();
  return Slice{block, piece};
}

void BodyTable::erase(Entries::iterator entry) {
  bytes_ -= entry->body.payload.size();
  by_key_.erase(std::string_view(entry->key));
  bodies_.erase(entry);
}

void BodyTable::put(const std::string& key, Body body, TimePoint now) {
  expire(now);
  if (const auto known = by_key_.find(std::string_view(key)); known != by_key_.end()) erase(known->second);
  if (body.payload.size() > kMaxBytes) return;
  while (!bodies_.empty() && (bodies_.size() >= kMaxBodies || bytes_ + body.payload.size() > kMaxBytes))
    erase(bodies_.begin());
  bytes_ += body.payload.size();
  auto& entry = bodies_.emplace_back(Entry{key, std::move(body), now});
  by_key_.emplace(entry.key, std::prev(bodies_.end()));
}

const Body* BodyTable::get(const std::string& key, TimePoint now) {
  expire(now);
  const auto known = by_key_.find(std::string_view(key));
  if (known == by_key_.end()) return nullptr;
  known->second->touched = now;
  bodies_.splice(bodies_.end(), bodies_, known->second);
  return &known->second->body;
}

void BodyTable::expire(TimePoint now) {
  while (!bodies_.empty() && now - bodies_.front().touched >= kLifetime) erase(bodies_.begin());
}

}  // namespace aiot::coap
