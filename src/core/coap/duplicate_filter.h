#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/address.h"
#include "core/base/time.h"
#include "core/coap/answer_pool.h"

namespace aiot::coap {

/// Which messages were seen already, and what was answered (RFC 7252 section 4.5). Pure: told the time.
///
/// Each peer's last `ids` message ids are kept, for EXCHANGE_LIFETIME (247 s) at most: a lifetime alone would
/// fail, because a fast peer wraps its 65,536 ids within it. A message is a repeat when its id and the
/// fingerprint of its token and payload are those of one that is kept, so that a node that restarts and
/// counts its ids from the start again is not taken for its former self.
///
/// Rings of ids start small and grow on demand. One id costs 13 bytes, one peer about 150: 50,000 peers with
/// 64 ids each take some 49 MB. Answers are kept once in an AnswerPool, however many ids they answer.
class DuplicateFilter {
 public:
  static constexpr std::uint32_t kLifetime = 247;  ///< seconds

  /// At least one peer, and 1 to 4,096 ids.
  DuplicateFilter(std::size_t peers, std::size_t ids);
  DuplicateFilter(const DuplicateFilter&) = delete;
  DuplicateFilter& operator=(const DuplicateFilter&) = delete;

  /// A message's place. May come to name nothing when its peer or id is pushed out; that is harmless.
  struct Slot {
    std::uint32_t peer = kNone;
    std::uint32_t fingerprint = 0;
    std::uint16_t message_id = 0;
    std::uint16_t position = 0;
    bool fresh = true;  ///< seen for the first time
  };

  /// How far the answer to a message is.
  enum class State : std::uint8_t {
    pending,   ///< not answered yet
    separate,  ///< an empty ACK went out, the response has or will have a message of its own
    answered,  ///< `answer` repeats it; when the pool has given it up, `code` is all that is known
  };
  struct Repeat {
    State state = State::pending;
    std::uint8_t code = 0;
    const KeptAnswer* answer = nullptr;
  };

  /// Of a message's token and payload.
  [[nodiscard]] static std::uint32_t fingerprint(std::string_view token, std::string_view payload);

  /// Notes a message as seen; when it was seen before, `fresh` is false and the slot is the first one's.
  Slot note(const SocketAddress& peer, std::uint16_t message_id, std::uint32_t fingerprint, TimePoint now);
  [[nodiscard]] Repeat repeat(const Slot& slot);
  /// Keeps what was answered; with the request's payload, answers that quote it are shared.
  void answered(const Slot& slot, const AnswerView& answer, std::string_view request_payload);
  void answered_separately(const Slot& slot);
  /// Forgets the message again, so that a repeat is treated as new.
  void forget(const Slot& slot);

  [[nodiscard]] std::size_t peers() const { return index_.size(); }
  [[nodiscard]] const AnswerPool& pool() const { return pool_; }
  /// Bytes taken, roughly.
  [[nodiscard]] std::size_t memory() const;

 private:
  static constexpr std::uint32_t kNone = 0xFFFFFFFF;
  static constexpr std::uint32_t kPending = 0xFFFFFFFF;
  static constexpr std::uint32_t kSeparate = 0xFFFFFFFE;
  static constexpr std::size_t kIdBytes = 4 + 4 + 2 + 2 + 1;
  static constexpr std::uint16_t kFirstCapacity = 4;

  /// Arrays side by side in one allocation, so that looking for an id touches two cache lines, not ten.
  class Ring {
   public:
    void grow(std::uint16_t capacity);
    [[nodiscard]] std::uint32_t* fingerprints() { return reinterpret_cast<std::uint32_t*>(bytes_.get()); }
    [[nodiscard]] std::uint32_t* answers() { return fingerprints() + capacity_; }
    [[nodiscard]] std::uint16_t* ids() { return reinterpret_cast<std::uint16_t*>(answers() + capacity_); }
    [[nodiscard]] std::uint16_t* times() { return ids() + capacity_; }
    [[nodiscard]] std::uint8_t* codes() { return reinterpret_cast<std::uint8_t*>(times() + capacity_); }
    [[nodiscard]] std::uint16_t capacity() const { return capacity_; }
    std::uint16_t count = 0;
    std::uint16_t next = 0;

   private:
    std::unique_ptr<std::uint8_t[]> bytes_;
    std::uint16_t capacity_ = 0;
  };
  struct Peer {
    SocketAddress address;
    std::uint32_t seen = 0;  ///< seconds
    std::uint32_t older = kNone;
    std::uint32_t newer = kNone;
    Ring ring;
  };
  struct Hash {
    std::size_t operator()(const SocketAddress& address) const noexcept { return address.hash(); }
  };

  std::uint32_t peer_of(const SocketAddress& address, std::uint32_t now);
  void unlink(std::uint32_t number);
  void link_newest(std::uint32_t number);
  /// The ring that still holds the slot's message, or null.
  Ring* ring_of(const Slot& slot);

  std::size_t max_peers_;
  std::uint16_t max_ids_;
  std::vector<Peer> peers_;
  std::unordered_map<SocketAddress, std::uint32_t, Hash> index_;
  std::uint32_t oldest_ = kNone;
  std::uint32_t newest_ = kNone;
  std::size_t ring_bytes_ = 0;
  AnswerPool pool_;
};

}  // namespace aiot::coap
