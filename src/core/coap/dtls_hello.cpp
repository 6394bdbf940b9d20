#include "core/coap/dtls_hello.h"

namespace aiot::coap {
namespace {

constexpr char kHandshake = 22;
constexpr char kHello = 1, kVerifyRequest = 3;
/// Type, version, epoch, sequence number, length.
constexpr std::size_t kRecordHead = 13;
/// Type, length, message sequence, fragment offset and length.
constexpr std::size_t kMessageHead = 12;
constexpr std::size_t kEpoch = 3, kRecordSequence = 5, kMessageSequence = kRecordHead + 4;
constexpr std::size_t kFragmentOffset = kRecordHead + 6;
constexpr std::size_t kVersionAndRandom = 2 + 32;

std::string number(std::size_t value, std::size_t bytes) {
  std::string out;
  while (bytes-- > 0) out += static_cast<char>(value >> (8 * bytes));
  return out;
}

/// Takes a vector with one byte of length from the front of `rest`.
std::optional<std::string_view> take_vector(std::string_view& rest) {
  if (rest.empty()) return std::nullopt;
  const std::size_t size = static_cast<unsigned char>(rest.front());
  if (rest.size() - 1 < size) return std::nullopt;
  const auto vector = rest.substr(1, size);
  rest.remove_prefix(1 + size);
  return vector;
}

}  // namespace

bool is_hello(std::string_view datagram) {
  return datagram.size() > kRecordHead && datagram[0] == kHandshake && datagram[kEpoch] == 0 &&
         datagram[kEpoch + 1] == 0 && datagram[kRecordHead] == kHello;
}

std::optional<ClientHello> parse_hello(std::string_view datagram) {
  constexpr std::size_t kFixed = kRecordHead + kMessageHead + kVersionAndRandom;
  if (!is_hello(datagram) || datagram.size() < kFixed) return std::nullopt;
  // A later fragment has no cookie to show.
  if (datagram.substr(kFragmentOffset, 3) != std::string_view("\0\0\0", 3)) return std::nullopt;
  auto rest = datagram.substr(kFixed);
  if (!take_vector(rest)) return std::nullopt;  // session id
  const auto cookie = take_vector(rest);
  if (!cookie) return std::nullopt;
  return ClientHello{datagram.substr(kRecordSequence, 6), datagram.substr(kMessageSequence, 2),
                     datagram.substr(kFixed - 32, 32), *cookie};
}

std::string hello_verify_request(const ClientHello& hello, std::string_view cookie) {
  // DTLS 1.0 whatever is spoken then (section 4.2.1).
  constexpr std::string_view kVersion = "\xfe\xff";
  std::string body(kVersion);
  body += number(cookie.size(), 1);
  body += cookie;
  std::string out(1, kHandshake);
  out += kVersion;
  out += number(0, 2);
  out += hello.record_sequence;
  out += number(kMessageHead + body.size(), 2);
  out += kVerifyRequest;
  out += number(body.size(), 3);
  out += hello.message_sequence;
  out += number(0, 3);
  out += number(body.size(), 3);
  return out + body;
}

}  // namespace aiot::coap
