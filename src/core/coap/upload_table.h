#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/base/time.h"
#include "core/coap/block.h"

namespace aiot::coap {

/// Puts block-wise uploads (Block1, RFC 7959 section 2.5) together. Pure: told the time.
///
/// An upload belongs to a key the caller makes of peer, method, path, query and Request-Tag. It starts with
/// block 0 (which also starts it anew) and then takes its blocks in any order, repeated or overlapping as
/// long as they agree; it ends with the block that completes it. Uploads idle for `lifetime` are given up.
class UploadTable {
 public:
  struct Limits {
    std::size_t uploads = 256;
    std::size_t body = 64 * 1024;
    Duration lifetime = std::chrono::seconds(60);
  };
  explicit UploadTable(const Limits& limits) : limits_(limits) {}

  enum class Status : std::uint8_t {
    more,        ///< kept: 2.31 Continue
    whole,       ///< `body` is complete and the upload is gone from the table
    incomplete,  ///< 4.08: a fragment of an unknown upload, one that contradicts it, or the last with gaps
    malformed,   ///< 4.00: a block that is not the last must be full
    too_large,   ///< 4.13: more than the limit, or announced so
    busy,        ///< 5.03: too many uploads under way
  };
  struct Outcome {
    Status status = Status::more;
    std::string body;
  };

  /// One block; `announced` is its Size1 option.
  Outcome add(const std::string& key, const Block& block, std::string_view payload,
              std::optional<std::uint32_t> announced, std::optional<std::uint16_t> content_format,
              TimePoint now);
  /// Gives up what is idle; returns how many.
  std::size_t expire(TimePoint now);

  [[nodiscard]] std::size_t size() const { return uploads_.size(); }

 private:
  /// Blocks are multiples of 16 bytes (but for the last), so that 16 bytes are the unit of bookkeeping.
  static constexpr std::size_t kUnit = 16;
  /// When the table is full, an upload idle for this long makes way for a new one.
  static constexpr Duration kMakesWay = std::chrono::seconds(10);

  struct Upload {
    std::string key;
    std::string body;
    std::vector<bool> have;  ///< by unit
    std::size_t units = 0;   ///< how many of them are there
    std::optional<std::size_t> total;
    std::optional<std::uint16_t> content_format;
    TimePoint touched;
  };
  using Uploads = std::list<Upload>;

  void erase(Uploads::iterator upload);
  /// False when the bytes contradict what is there already.
  static bool place(Upload& upload, std::size_t offset, std::string_view payload);

  Limits limits_;
  Uploads uploads_;  ///< least recently touched first
  std::unordered_map<std::string_view, Uploads::iterator> by_key_;
};

}  // namespace aiot::coap
