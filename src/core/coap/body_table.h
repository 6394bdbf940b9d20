#pragma once

#include <cstddef>
#include <cstdint>
#include <list>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/time.h"
#include "core/coap/block.h"

namespace aiot::coap {

/// A reply larger than a block, of which a peer is fetching one after the other (Block2, RFC 7959
/// section 2.4).
struct Body {
  std::uint8_t code = 0;
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint32_t> max_age;
  std::string etag;
  std::string payload;
};

/// A block of a body: what to send, and the option that goes with it.
struct Slice {
  Block block;
  std::string_view payload;
};

/// Cuts the block out of `payload` that a peer asked for; `largest` is the largest szx to send. None when it
/// asked for one beyond the end.
[[nodiscard]] std::optional<Slice> slice(std::string_view payload, const Block& wanted, std::uint8_t largest);

/// The bodies under way, so that later blocks come from the same reply as the first, and a handler is asked
/// once. The caller's key is made of peer, method, path and query. Bounded in number and bytes, least
/// recently used out; idle for `lifetime` is out, too. Pure.
class BodyTable {
 public:
  static constexpr std::size_t kMaxBodies = 256;
  static constexpr std::size_t kMaxBytes = 16 * 1024 * 1024;
  static constexpr Duration kLifetime = std::chrono::seconds(60);

  void put(const std::string& key, Body body, TimePoint now);
  /// Null when there is none; valid until the next put() or expire().
  const Body* get(const std::string& key, TimePoint now);
  void expire(TimePoint now);

  [[nodiscard]] std::size_t size() const { return bodies_.size(); }

 private:
  struct Entry {
    std::string key;
    Body body;
    TimePoint touched;
  };
  using Entries = std::list<Entry>;
  void erase(Entries::iterator entry);

  Entries bodies_;  ///< least recently used first
  std::unordered_map<std::string_view, Entries::iterator> by_key_;
  std::size_t bytes_ = 0;
};

}  // namespace aiot::coap
