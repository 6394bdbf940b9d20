#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace aiot::broker {

/// What frames hold.
struct Tally {
  std::uint64_t updates = 0;
  std::uint64_t events = 0;  ///< of nodes and gateways, where they are counted

  friend Tally operator+(Tally a, Tally b) { return {a.updates + b.updates, a.events + b.events}; }
  friend Tally operator-(Tally a, Tally b) { return {a.updates - b.updates, a.events - b.events}; }
};

/// Live messages as encoded WebSocket frames, written once and read by every client at its own pace. A list
/// of chunks, each held by the readers that still need it: the memory is that of the slowest reader, and
/// readers further behind than their bound are moved on or dropped by their owner.
class BroadcastLog {
 public:
  static constexpr std::size_t kChunkBytes = 64 * 1024;

  /// Where a frame ends, and what its chunk holds up to there.
  struct Mark {
    std::uint32_t end = 0, updates = 0, events = 0;
  };

  /// Part of the log. `bytes` never grows past its first capacity, so views of it stay valid.
  struct Chunk {
    std::string bytes;
    std::vector<Mark> marks;  ///< one a frame
    std::uint64_t begin = 0;  ///< position of its first byte in the log
    Tally before;             ///< all chunks before this one
    std::shared_ptr<Chunk> next;

    Chunk() = default;
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;
    /// Frees a long chain without recursion.
    ~Chunk();
    /// How many of its frames end at `offset` or before.
    [[nodiscard]] std::size_t frames_until(std::size_t offset) const;
    [[nodiscard]] Tally tally_until(std::size_t offset) const;
  };

  /// A reader's place. Copyable; keeps what it has not passed alive.
  class Cursor {
   public:
    Cursor() = default;
    /// Frames from here to the end of the chunk; empty at the end of the log.
    [[nodiscard]] std::string_view peek();
    /// The same, of at most so many frames.
    [[nodiscard]] std::string_view peek(std::size_t frames);
    /// `bytes` of the last peek, whole frames.
    void consume(std::size_t bytes) { offset_ += bytes; }
    /// How many frames the next `bytes` are.
    [[nodiscard]] std::size_t frames_in(std::size_t bytes) const;
    [[nodiscard]] std::uint64_t position() const { return chunk_ ? chunk_->begin + offset_ : 0; }
    /// What was passed, of all that the log ever had.
    [[nodiscard]] Tally passed() const { return chunk_ ? chunk_->tally_until(offset_) : Tally{}; }

   private:
    friend class BroadcastLog;
    std::shared_ptr<Chunk> chunk_;
    std::size_t offset_ = 0;
  };

  explicit BroadcastLog(std::size_t chunk_bytes = kChunkBytes);

  /// Encodes `payload` as one text frame at the end.
  void append(std::string_view payload, Tally holds);
  /// A reader that starts at the end.
  [[nodiscard]] Cursor end() const;
  [[nodiscard]] std::uint64_t position() const { return tail_->begin + tail_->bytes.size(); }
  /// All that was ever appended.
  [[nodiscard]] Tally tally() const { return tail_->tally_until(tail_->bytes.size()); }

 private:
  std::size_t chunk_bytes_;
  std::shared_ptr<Chunk> tail_;
};

}  // namespace aiot::broker
