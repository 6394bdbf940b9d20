#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <unordered_map>

#include "core/base/address.h"
#include "core/base/time.h"

namespace aiot::coap {

/// Which datagram peers have shown that they receive what is sent to their address, so that nobody has large
/// answers sent to somebody else by claiming to be him (RFC 7252 section 11.3). Bounded: who was noted
/// longest ago goes first. Pure.
class KnownPeers {
 public:
  enum class Standing : std::uint8_t {
    unknown,
    known,   ///< has answered
    silent,  ///< was asked lately and did not answer
  };
  static constexpr Duration kKnown = std::chrono::minutes(10);
  static constexpr Duration kSilent = std::chrono::seconds(30);

  explicit KnownPeers(std::size_t most) : most_(most) {}
  KnownPeers(const KnownPeers&) = delete;
  KnownPeers& operator=(const KnownPeers&) = delete;

  void note(const SocketAddress& peer, bool answered, TimePoint now);
  [[nodiscard]] Standing standing(const SocketAddress& peer, TimePoint now) const;
  [[nodiscard]] std::size_t size() const { return entries_.size(); }

 private:
  struct Entry {
    SocketAddress peer;
    bool answered = false;
    TimePoint until;
  };
  std::size_t most_;
  std::list<Entry> entries_;  ///< noted longest ago first
  std::unordered_map<SocketAddress, std::list<Entry>::iterator> by_peer_;
};

}  // namespace aiot::coap
