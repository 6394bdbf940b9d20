#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

/// A small pure CoAP message codec (RFC 7252 section 3), for places where a libcoap context a peer would cost
/// too much: the simulator's thousands of nodes and the load generator. The client and the server speak
/// through libcoap.
namespace aiot::coap {

enum class Type : std::uint8_t { con = 0, non = 1, ack = 2, rst = 3 };

/// Codes as the byte on the wire: class in the upper three bits.
constexpr std::uint8_t code(int klass, int detail) {
  return static_cast<std::uint8_t>((klass << 5) | detail);
}
/// "2.05".
[[nodiscard]] std::string code_text(std::uint8_t code);
/// 205 for 2.05.
[[nodiscard]] constexpr int code_number(std::uint8_t code) { return (code >> 5) * 100 + (code & 0x1F); }
/// "Not Found" for 4.04; empty for a code without a registered phrase.
[[nodiscard]] std::string_view code_phrase(std::uint8_t code);

namespace option {
inline constexpr std::uint16_t kIfMatch = 1, kUriHost = 3, kEtag = 4, kIfNoneMatch = 5, kObserve = 6,
                               kUriPort = 7, kLocationPath = 8, kUriPath = 11, kContentFormat = 12,
                               kMaxAge = 14, kUriQuery = 15, kAccept = 17, kLocationQuery = 20, kBlock2 = 23,
                               kBlock1 = 27, kSize2 = 28, kSize1 = 60;
}

struct Message {
  Type type = Type::con;
  std::uint8_t code = 0;
  std::uint16_t message_id = 0;
  std::string token;                                           ///< at most 8 bytes
  std::vector<std::pair<std::uint16_t, std::string>> options;  ///< in order of number once parsed
  std::string payload;

  [[nodiscard]] std::optional<std::uint64_t> uint_option(std::uint16_t number) const;
  [[nodiscard]] std::vector<std::string_view> string_options(std::uint16_t number) const;
  void add_uint(std::uint16_t number, std::uint64_t value);
  void add(std::uint16_t number, std::string value) { options.emplace_back(number, std::move(value)); }
};

/// Errc::peer_failed names the field that is malformed.
[[nodiscard]] Result<Message> parse_message(std::string_view datagram);
/// The datagram; options may stand in any order.
[[nodiscard]] std::string format_message(const Message& message);

}  // namespace aiot::coap
