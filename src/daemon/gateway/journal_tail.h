#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

namespace aiot::gateway {

/// Consecutive items as text with commas between them.
struct Chunk {
  std::uint64_t first = 0;
  std::size_t count = 0;
  std::string items;
};

/// The newest items of the journal in memory, as batches carry them, so that what is sent at once is neither
/// read back nor encoded twice. Pure.
class JournalTail {
 public:
  /// Numbers go on from here; empties it.
  void start(std::uint64_t first);
  /// Opens the next item: append it to what is returned, then call close().
  std::string& open();
  /// The item just appended; `uptime_ms` marks one without a time (kStamped: it has one).
  std::string_view close(std::uint64_t uptime_ms);
  static constexpr std::uint64_t kStamped = ~0ULL;

  /// Takes the newest `count` items back.
  void pop(std::size_t count);
  /// Forgets the oldest until `bytes` are left at the most; items from `keep` on stay.
  void trim(std::size_t bytes, std::uint64_t keep);

  [[nodiscard]] std::uint64_t first() const { return blocks_.empty() ? end_ : blocks_.front().first; }
  [[nodiscard]] std::uint64_t end() const { return end_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }

  /// Items from `from` (at least first()) up to `end`, at most so many and not across a block; `stamp(out,
  /// item, uptime)` appends those without a time.
  template <class Stamp>
  [[nodiscard]] Chunk read(std::uint64_t from, std::uint64_t end, std::size_t most, Stamp stamp) const {
    Chunk out{from, 0, {}};
    const Block* block = find(from);
    if (block == nullptr) return out;
    const std::size_t begin = static_cast<std::size_t>(from - block->first);
    const std::size_t last = static_cast<std::size_t>(
        std::min({block->first + block->ends.size(), end, from + most}) - block->first);
    out.count = last - begin;
    if (block->uptimes.empty()) {
      const auto at = block->begin(begin);
      out.items = block->body.substr(at, block->ends[last - 1] - at);
      return out;
    }
    for (std::size_t i = begin; i < last; ++i) {
      if (i != begin) out.items += ',';
      const auto item = block->item(i);
      block->uptimes[i] == kStamped ? void(out.items += item) : stamp(out.items, item, block->uptimes[i]);
    }
    return out;
  }

 private:
  static constexpr std::size_t kBlockBytes = 64 * 1024, kBlockItems = 1024;

  struct Block {
    std::uint64_t first = 0;
    std::string body;                    ///< items with commas between them
    std::vector<std::uint32_t> ends;     ///< of each item in the body
    std::vector<std::uint64_t> uptimes;  ///< empty while all items have their time

    [[nodiscard]] std::size_t begin(std::size_t item) const { return item == 0 ? 0 : ends[item - 1] + 1; }
    [[nodiscard]] std::string_view item(std::size_t i) const {
      return std::string_view(body).substr(begin(i), ends[i] - begin(i));
    }
  };
  [[nodiscard]] const Block* find(std::uint64_t number) const;

  std::deque<Block> blocks_;
  std::uint64_t end_ = 1;  ///< the next number
  std::size_t bytes_ = 0;
};

}  // namespace aiot::gateway
