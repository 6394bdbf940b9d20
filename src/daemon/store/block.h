#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "daemon/store/bytes.h"
#include "daemon/store/store.h"

namespace aiot::store {

/// Of a block in the database: what a query reads at least, and what one more point may cost to rewrite.
inline constexpr std::uint32_t kBlockPoints = 512;
inline constexpr std::size_t kBlockBytes = 16 * 1024;
inline constexpr std::size_t kMaxValueBytes =
    1024 * 1024;  ///< nobody sends such; a bound for all that decodes
inline constexpr std::size_t kMaxPacked = kBlockBytes + kMaxValueBytes + 64;  ///< of a block, unpacked

[[nodiscard]] inline std::int64_t to_number(WallTime time) { return time.time_since_epoch().count(); }
[[nodiscard]] inline WallTime to_time(std::int64_t number) {
  return WallTime(std::chrono::milliseconds(number));
}

/// What stands in the first byte of an encoded value beside its kind.
inline constexpr std::uint8_t kHasFormat = 1, kRawJson = 2, kTimeUncertain = 4, kFlags = 7;

/// Appends `value` (not its resource); its time is relative to `previous`, which becomes its own.
inline std::uint8_t value_flags(const ValueView& value) {
  return static_cast<std::uint8_t>((value.content_format ? kHasFormat : 0) | (value.raw_json ? kRawJson : 0) |
                                   (value.time_uncertain ? kTimeUncertain : 0));
}
inline void put_value(std::string& out, const ValueView& value, WallTime& previous) {
  // Unsigned, so that any two times have a difference.
  const auto step =
      static_cast<std::uint64_t>(to_number(value.time)) - static_cast<std::uint64_t>(to_number(previous));
  put_varint(out, zigzag(static_cast<std::int64_t>(step)));
  if (value.content_format) put_varint(out, *value.content_format);
  put_text(out, value.bytes);
  previous = value.time;
}
inline ValueView read_value(ByteReader& reader, std::uint8_t flags, WallTime& previous) {
  ValueView value;
  const auto step = static_cast<std::uint64_t>(unzigzag(reader.varint()));
  previous = to_time(static_cast<std::int64_t>(static_cast<std::uint64_t>(to_number(previous)) + step));
  value.time = previous;
  if ((flags & kHasFormat) != 0) value.content_format = static_cast<std::uint16_t>(reader.varint(0xFFFF));
  value.raw_json = (flags & kRawJson) != 0;
  value.time_uncertain = (flags & kTimeUncertain) != 0;
  value.bytes = reader.text();
  return value;
}

/// One value alone, as a node's last is kept.
[[nodiscard]] std::string pack_value(const ValueView& value);
[[nodiscard]] std::optional<ValueView> unpack_value(std::string_view bytes);
[[nodiscard]] Value own(const ValueView& value);

/// Points of one series in the order in which they arrived, encoded.
struct Block {
  std::string points;
  WallTime first = WallTime::max();  ///< the earliest
  WallTime last = WallTime::min();   ///< the latest
  WallTime end{};                    ///< of the point that arrived last
  std::uint32_t count = 0;

  void append(const ValueView& value);
  [[nodiscard]] bool full() const { return count >= kBlockPoints || points.size() >= kBlockBytes; }
  [[nodiscard]] bool empty() const { return count == 0; }
};

/// Calls `function(ValueView)` for the points in order of arrival, for `most` at most; false when they end in
/// what cannot be read.
template <class Function>
bool each_point(std::string_view points, std::uint32_t most, Function&& function) {
  ByteReader reader(points);
  WallTime previous{};
  for (std::uint32_t i = 0; i < most && !reader.at_end(); ++i) {
    const std::uint8_t flags = reader.byte();
    const auto value = read_value(reader, flags, previous);
    if (!reader.good() || (flags & ~kFlags) != 0) return false;
    function(value);
  }
  return true;
}

/// A block's points as the database keeps them: deflated, since values and intervals repeat (a quarter of the
/// bytes for 0.1 us a point).
[[nodiscard]] std::string pack_points(std::string_view points);
/// Nothing when they are damaged, or would be more than kMaxPacked.
[[nodiscard]] std::optional<std::string> unpack_points(std::string_view packed);

}  // namespace aiot::store
