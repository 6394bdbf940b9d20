#include "core/coap/known_peers.h"

namespace aiot::coap {

void KnownPeers::note(const SocketAddress& peer, bool answered, TimePoint now) {
  if (most_ == 0) return;
  const Entry entry{peer, answered, now + (answered ? kKnown : kSilent)};
  if (const auto noted = by_peer_.find(peer); noted != by_peer_.end()) {
    *noted->second = entry;
    entries_.splice(entries_.end(), entries_, noted->second);
    return;
  }
  if (entries_.size() >= most_) {
    by_peer_.erase(entries_.front().peer);
    entries_.pop_front();
  }
  entries_.push_back(entry);
  by_peer_.emplace(peer, std::prev(entries_.end()));
}

KnownPeers::Standing KnownPeers::standing(const SocketAddress& peer, TimePoint now) const {
  const auto noted = by_peer_.find(peer);
  if (noted == by_peer_.end() || now >= noted->second->until) return Standing::unknown;
  return noted->second->answered ? Standing::known : Standing::silent;
}

}  // namespace aiot::coap
