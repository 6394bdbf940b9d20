#include "daemon/store/block.h"

#include <zlib.h>

#include <algorithm>

#include "daemon/store/arrival.h"

namespace aiot::store {

std::string pack_value(const ValueView& value) {
  std::string out(1, static_cast<char>(value_flags(value)));
  WallTime previous{};
  put_value(out, value, previous);
  return out;
}

std::optional<ValueView> unpack_value(std::string_view bytes) {
  ByteReader reader(bytes);
  const std::uint8_t flags = reader.byte();
  WallTime previous{};
  const auto value = read_value(reader, flags, previous);
  if (!reader.good() || !reader.at_end() || (flags & ~kFlags) != 0) return std::nullopt;
  return value;
}

Value own(const ValueView& value) {
  return {std::string(value.resource), std::string(value.bytes), value.time,
          value.content_format,        value.raw_json,           value.time_uncertain};
}

void Block::append(const ValueView& value) {
  points += static_cast<char>(value_flags(value));
  put_value(points, value, end);
  first = std::min(first, value.time);
  last = std::max(last, value.time);
  ++count;
}

std::string pack_points(std::string_view points) {
  std::string out;
  put_varint(out, points.size());
  const std::size_t head = out.size();
  uLongf size = compressBound(points.size());
  out.resize(head + size);
  const int done = compress2(reinterpret_cast<Bytef*>(out.data() + head), &size,
                             reinterpret_cast<const Bytef*>(points.data()), points.size(), Z_BEST_SPEED);
  out.resize(done == Z_OK ? head + size : 0);
  return out;
}

std::optional<std::string> unpack_points(std::string_view packed) {
  ByteReader reader(packed);
  const auto expected = reader.varint(kMaxPacked);
  if (!reader.good()) return std::nullopt;
  packed.remove_prefix(packed.size() - reader.left());
  std::string out(expected, '\0');
  uLongf size = expected;
  const int done = uncompress(reinterpret_cast<Bytef*>(out.data()), &size,
                              reinterpret_cast<const Bytef*>(packed.data()), packed.size());
  if (done != Z_OK || size != expected) return std::nullopt;
  return out;
}

std::uint32_t checksum(std::string_view log) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(log.data()), log.size()));
}

}  // namespace aiot::store
