#include "core/coap/duplicate_filter.h"

#include <algorithm>
#include <cstring>

namespace aiot::coap {
namespace {

std::uint32_t seconds_of(TimePoint now) {
  return static_cast<std::uint32_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
}

std::uint64_t mix(std::uint64_t hash, std::string_view text) {
  hash = (hash ^ text.size()) * 0x9E3779B97F4A7C15ULL;
  while (text.size() >= 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), 8);
    hash = (hash ^ word) * 0xFF51AFD7ED558CCDULL;
    hash ^= hash >> 32;
    text.remove_prefix(8);
  }
  if (!text.empty()) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data(), text.size());
    hash = (hash ^ word) * 0xFF51AFD7ED558CCDULL;
  }
  return hash ^ hash >> 29;
}

}  // namespace

void DuplicateFilter::Ring::grow(std::uint16_t capacity) {
  Ring larger;
  larger.bytes_ = std::make_unique<std::uint8_t[]>(capacity * kIdBytes);
  larger.capacity_ = capacity;
  if (count > 0) {
    std::copy_n(fingerprints(), count, larger.fingerprints());
    std::copy_n(answers(), count, larger.answers());
    std::copy_n(ids(), count, larger.ids());
    std::copy_n(times(), count, larger.times());
    std::copy_n(codes(), count, larger.codes());
  }
  larger.count = count;
  larger.next = count;
  *this = std::move(larger);
}

DuplicateFilter::DuplicateFilter(std::size_t peers, std::size_t ids)
    : max_peers_(std::clamp<std::size_t>(peers, 1, kNone - 1)),
      max_ids_(static_cast<std::uint16_t>(std::clamp<std::size_t>(ids, 1, 4096))) {}

std::uint32_t DuplicateFilter::fingerprint(std::string_view token, std::string_view payload) {
  const auto hash = mix(mix(0x243F6A8885A308D3ULL, token), payload);
  return static_cast<std::uint32_t>(hash ^ hash >> 32);
}

void DuplicateFilter::unlink(std::uint32_t number) {
  const auto& peer = peers_[number];
  (peer.older == kNone ? oldest_ : peers_[peer.older].newer) = peer.newer;
  (peer.newer == kNone ? newest_ : peers_[peer.newer].older) = peer.older;
}

void DuplicateFilter::link_newest(std::uint32_t number) {
  auto& peer = peers_[number];
  peer.older = newest_;
  peer.newer = kNone;
  (newest_ == kNone ? oldest_ : peers_[newest_].newer) = number;
  newest_ = number;
}

std::uint32_t DuplicateFilter::peer_of(const SocketAddress& address, std::uint32_t now) {
  if (const auto found = index_.find(address); found != index_.end()) {
    auto& peer = peers_[found->second];
    // Nothing in a ring is older than its length times the lifetime, so that 16 bits of seconds suffice.
    if (now - peer.seen > kLifetime) peer.ring.count = peer.ring.next = 0;
    if (now != peer.seen && newest_ != found->second) {
      unlink(found->second);
      link_newest(found->second);
    }
    peer.seen = now;
    return found->second;
  }

  std::uint32_t number = 0;
  if (index_.size() < max_peers_) {
    number = static_cast<std::uint32_t>(peers_.size());
    peers_.emplace_back();
  } else {
    number = oldest_;
    unlink(number);
    index_.erase(peers_[number].address);
    peers_[number].ring.count = peers_[number].ring.next = 0;
  }
  auto& peer = peers_[number];
  peer.address = address;
  peer.seen = now;
  link_newest(number);
  index_.emplace(address, number);
  return number;
}

DuplicateFilter::Slot DuplicateFilter::note(const SocketAddress& peer, std::uint16_t message_id,
                                            std::uint32_t fingerprint, TimePoint now) {
  const auto now_s = seconds_of(now);
  Slot slot;
  slot.peer = peer_of(peer, now_s);
  slot.message_id = message_id;
  slot.fingerprint = fingerprint;

  auto& ring = peers_[slot.peer].ring;
  const auto* ids = ring.ids();
  for (std::uint16_t i = 0; i < ring.count; ++i) {
    if (ids[i] != message_id || ring.fingerprints()[i] != fingerprint) continue;
    if (static_cast<std::uint16_t>(now_s - ring.times()[i]) > kLifetime) continue;
    slot.position = i;
    slot.fresh = false;
    return slot;
  }

  if (ring.next == ring.capacity() && ring.capacity() < max_ids_) {
    const auto before = ring.capacity();
    ring.grow(std::min<std::uint16_t>(max_ids_, before == 0 ? kFirstCapacity : before * 2));
    ring_bytes_ += (ring.capacity() - before) * kIdBytes;
  }
  if (ring.next == ring.capacity()) ring.next = 0;
  slot.position = ring.next++;
  ring.count = std::max(ring.count, ring.next);
  ring.ids()[slot.position] = message_id;
  ring.times()[slot.position] = static_cast<std::uint16_t>(now_s);
  ring.fingerprints()[slot.position] = fingerprint;
  ring.answers()[slot.position] = kPending;
  ring.codes()[slot.position] = 0;
  return slot;
}

DuplicateFilter::Ring* DuplicateFilter::ring_of(const Slot& slot) {
  if (slot.peer >= peers_.size()) return nullptr;
  auto& ring = peers_[slot.peer].ring;
  if (slot.position >= ring.count || ring.ids()[slot.position] != slot.message_id ||
      ring.fingerprints()[slot.position] != slot.fingerprint)
    return nullptr;
  return &ring;
}

DuplicateFilter::Repeat DuplicateFilter::repeat(const Slot& slot) {
  auto* ring = ring_of(slot);
  if (ring == nullptr) return {};
  const auto answer = ring->answers()[slot.position];
  const auto code = ring->codes()[slot.position];
  if (answer == kPending) return {};
  if (answer == kSeparate) return {State::separate, code, nullptr};
  return {State::answered, code, pool_.get(answer)};
}

void DuplicateFilter::answered(const Slot& slot, const AnswerView& answer, std::string_view request_payload) {
  if (auto* ring = ring_of(slot)) {
    ring->answers()[slot.position] = pool_.put(answer, request_payload);
    ring->codes()[slot.position] = answer.code;
  }
}

void DuplicateFilter::answered_separately(const Slot& slot) {
  if (auto* ring = ring_of(slot)) ring->answers()[slot.position] = kSeparate;
}

void DuplicateFilter::forget(const Slot& slot) {
  // The id stays in its place, with a fingerprint that is its message's no more.
  if (auto* ring = ring_of(slot)) ring->fingerprints()[slot.position] = ~slot.fingerprint;
}

std::size_t DuplicateFilter::memory() const {
  constexpr std::size_t kNode = sizeof(SocketAddress) + sizeof(std::uint32_t) + 4 * sizeof(void*);
  return ring_bytes_ + peers_.capacity() * sizeof(Peer) + index_.size() * kNode +
         index_.bucket_count() * sizeof(void*) + pool_.bytes();
}

}  // namespace aiot::coap
