#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "daemon/store/block.h"

/// The log of what arrived: one string of records a transaction, which is all that an update costs until a
/// checkpoint moves its points to their series.
namespace aiot::store {

using SeriesId = std::uint32_t;  ///< of a resource of a node; never used twice
using NodeId = std::uint32_t;

enum class RecordKind : std::uint8_t {
  update,      ///< a point of a series and its last value
  last_value,  ///< the latter alone
  clear,       ///< all last values of a node
};

struct Record {
  RecordKind kind = RecordKind::update;
  std::uint32_t id = 0;  ///< of the series; of the node for `clear`
  ValueView value;
};

/// Appends a record; times are relative to `previous`, which starts at zero with each log.
inline void put_record(std::string& log, RecordKind kind, std::uint32_t id, const ValueView& value,
                       WallTime& previous) {
  log += static_cast<char>(value_flags(value) | static_cast<unsigned>(kind) << 3);
  put_varint(log, id);
  if (kind != RecordKind::clear) put_value(log, value, previous);
}

/// Calls `function(Record)` for each; false when the log ends in what cannot be read.
template <class Function>
bool each_record(std::string_view log, Function&& function) {
  ByteReader reader(log);
  WallTime previous{};
  while (!reader.at_end()) {
    const std::uint8_t head = reader.byte();
    const unsigned kind = head >> 3;
    if (kind > static_cast<unsigned>(RecordKind::clear)) return false;
    Record record;
    record.kind = static_cast<RecordKind>(kind);
    record.id = static_cast<std::uint32_t>(reader.varint(0xFFFF'FFFF));
    if (record.kind != RecordKind::clear)
      record.value = read_value(reader, static_cast<std::uint8_t>(head & kFlags), previous);
    if (!reader.good()) return false;
    function(record);
  }
  return true;
}

/// Of a log, kept beside it.
[[nodiscard]] std::uint32_t checksum(std::string_view log);

}  // namespace aiot::store
