#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace aiot::broker {

/// Live messages as encoded WebSocket frames, written once and read by every client at its own pace. A list
/// of chunks, each held by the readers that still need it: the memory is that of the slowest reader, and
/// readers further behind than their bound are dropped by their owner.
class BroadcastLog {
 public:
  static constexpr std::size_t kChunkBytes = 64 * 1024;

  /// Part of the log. `bytes` never grows past its first capacity, so views of it stay valid.
  struct Chunk {
    std::string bytes;
    std::uint64_t begin = 0;        ///< position of its first byte in the log
    std::uint64_t updates_end = 0;  ///< updates in the log up to and with this chunk
    std::shared_ptr<Chunk> next;

    Chunk() = default;
    Chunk(const Chunk&) = delete;
    Chunk& operator=(const Chunk&) = delete;
    /// Frees a long chain without recursion.
    ~Chunk();
  };

  /// A reader's place. Copyable; keeps what it has not passed alive.
  class Cursor {
   public:
    Cursor() = default;
    /// Frames from here to the end of the chunk; empty at the end of the log.
    [[nodiscard]] std::string_view peek();
    void consume(std::size_t bytes);
    [[nodiscard]] std::uint64_t position() const { return chunk_ ? chunk_->begin + offset_ : 0; }
    /// Updates that were passed whole.
    [[nodiscard]] std::uint64_t updates() const { return updates_; }

   private:
    friend class BroadcastLog;
    std::shared_ptr<Chunk> chunk_;
    std::size_t offset_ = 0;
    std::uint64_t updates_ = 0;
  };

  BroadcastLog();

  /// Encodes `payload` as one text frame at the end.
  void append(std::string_view payload, bool is_update);
  /// A reader that starts at the end.
  [[nodiscard]] Cursor end() const;
  [[nodiscard]] std::uint64_t position() const { return tail_->begin + tail_->bytes.size(); }
  [[nodiscard]] std::uint64_t updates() const { return tail_->updates_end; }

 private:
  std::shared_ptr<Chunk> tail_;
};

}  // namespace aiot::broker
