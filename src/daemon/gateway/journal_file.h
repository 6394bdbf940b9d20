#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/result.h"
#include "core/base/time.h"

/// The journal's files. Pure.
///
/// A segment is a line of JSON that says what it holds, a line with that line's CRC-32 in hexadecimal, and
/// records: their size (4 bytes, little-endian, of what follows the checksum), a CRC-32 of it, and it: flags
/// (1 byte), where the item came from and how long the machine had been up (each where its flag says so), and
/// the item as aiot.gateway.v1 carries it. Records are numbered from the segment's first on.
namespace aiot::gateway {

/// The message that brought an item: what is needed to know it again. Of CoAP its peer, message id and token;
/// of MQTT and MQTT-SN `session`, message id and a hash of what it said.
struct Origin {
  SocketAddress peer;
  std::uint16_t message_id = 0;
  std::string_view token;    ///< up to 8 bytes
  std::string_view session;  ///< up to 128 bytes; empty: it is CoAP's
  std::uint64_t hash = 0;
};

/// A message of MQTT or MQTT-SN that an earlier run stored.
struct TakenMessage {
  std::string session;
  std::uint16_t message_id = 0;
  std::uint64_t hash = 0;
  bool operator==(const TakenMessage&) const = default;
};

struct SegmentHead {
  std::string stream;
  std::uint64_t first = 1;           ///< number of its first record
  std::vector<std::string> earlier;  ///< streams of the same journal before it, newest first
  std::string boot;                  ///< the machine's boot id
  WallTime made{};
};
[[nodiscard]] std::string format_segment_head(const SegmentHead& head);

struct ParsedHead {
  SegmentHead head;
  std::size_t size = 0;  ///< bytes up to the first record
};
/// Errc::internal: `text` does not begin a segment.
[[nodiscard]] Result<ParsedHead> parse_segment_head(std::string_view text);
inline constexpr std::size_t kMaxSegmentHead = 16 * 1024;

/// `uptime_ms` marks an item whose time is not known, since the clock was not set.
void append_record(std::string& out, std::string_view item, const Origin* origin,
                   std::optional<std::uint64_t> uptime_ms);

struct Record {
  std::string_view item;
  std::optional<Origin> origin;
  std::optional<std::uint64_t> uptime_ms;
};
/// Takes one record after the other from a part of a segment.
class RecordReader {
 public:
  explicit RecordReader(std::string_view text) : text_(text) {}
  enum class Status : std::uint8_t {
    record,
    cut,     ///< the text ends in the middle of a record, or right behind the last
    damaged  ///< what stands here is no record
  };
  Status next(Record& record);
  /// Behind the last record taken.
  [[nodiscard]] std::size_t position() const { return at_; }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

/// Before this no clock of a machine that runs this was set.
[[nodiscard]] inline bool is_set(WallTime time) {
  return time >= std::chrono::sys_days(std::chrono::year(2026) / 1 / 1);
}

/// `item` with its time: `stamp`, or with `time_uncertain`.
void append_stamped(std::string& out, std::string_view item, WallTime stamp, bool uncertain);

/// When machines were started, as far as their clocks told, so that times of records can be found out later.
struct BootTimes {
  struct Entry {
    std::string boot;
    std::uint64_t uptime_ms = 0;  ///< at this uptime
    WallTime wall{};              ///< it was this time
  };
  std::vector<Entry> entries;

  [[nodiscard]] std::optional<WallTime> time_of(std::string_view boot, std::uint64_t uptime_ms) const;
};
[[nodiscard]] std::string format_boot_times(const BootTimes& times);
/// Lines that cannot be understood are left out.
[[nodiscard]] BootTimes parse_boot_times(std::string_view text);

}  // namespace aiot::gateway
