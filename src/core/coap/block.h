#pragma once

#include <cstddef>
#include <cstdint>

namespace aiot::coap {

/// A Block1 or Block2 option (RFC 7959 section 2.2; on TCP szx 7 is BERT, RFC 8323 section 6).
struct Block {
  std::uint32_t number = 0;
  bool more = false;
  std::uint8_t szx = 6;

  static constexpr std::uint8_t kBert = 7;
  static constexpr std::uint32_t kMaxNumber = 0xFFFFF;

  /// Bytes of a block; BERT counts in blocks of 1024.
  [[nodiscard]] constexpr std::size_t size() const { return szx >= kBert ? 1024 : std::size_t{16} << szx; }
  [[nodiscard]] constexpr std::size_t offset() const { return number * size(); }
  [[nodiscard]] constexpr std::uint32_t encode() const { return number << 4 | (more ? 8U : 0U) | szx; }
  static constexpr Block decode(std::uint32_t value) {
    return {value >> 4, (value & 8) != 0, static_cast<std::uint8_t>(value & 7)};
  }
  friend constexpr bool operator==(const Block&, const Block&) = default;
};

}  // namespace aiot::coap
