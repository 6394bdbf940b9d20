#include "core/coap/message.h"

#include <fmt/core.h>

#include <algorithm>

namespace aiot::coap {

namespace {

constexpr std::size_t kMaxToken = 8;
constexpr std::uint8_t kPayloadMarker = 0xFF;
/// Nibble values that announce one or two further bytes (RFC 7252 section 3.1).
constexpr std::uint32_t kOneByte = 13, kTwoBytes = 14, kReserved = 15;
constexpr std::uint32_t kTwoBytesBase = 269;
constexpr std::size_t kMaxOptionValue = kTwoBytesBase + 0xFFFF;

struct Phrase {
  std::uint8_t code;
  std::string_view text;
};

constexpr Phrase kPhrases[] = {
    {code(2, 1), "Created"},
    {code(2, 2), "Deleted"},
    {code(2, 3), "Valid"},
    {code(2, 4), "Changed"},
    {code(2, 5), "Content"},
    {code(2, 31), "Continue"},
    {code(4, 0), "Bad Request"},
    {code(4, 1), "Unauthorized"},
    {code(4, 2), "Bad Option"},
    {code(4, 3), "Forbidden"},
    {code(4, 4), "Not Found"},
    {code(4, 5), "Method Not Allowed"},
    {code(4, 6), "Not Acceptable"},
    {code(4, 8), "Request Entity Incomplete"},
    {code(4, 9), "Conflict"},
    {code(4, 12), "Precondition Failed"},
    {code(4, 13), "Request Entity Too Large"},
    {code(4, 15), "Unsupported Content-Format"},
    {code(4, 22), "Unprocessable Entity"},
    {code(4, 29), "Too Many Requests"},
    {code(5, 0), "Internal Server Error"},
    {code(5, 1), "Not Implemented"},
    {code(5, 2), "Bad Gateway"},
    {code(5, 3), "Service Unavailable"},
    {code(5, 4), "Gateway Timeout"},
    {code(5, 5), "Proxying Not Supported"},
    {code(5, 8), "Hop Limit Reached"},
};

Error malformed(std::string_view what) {
  return make_error(Errc::peer_failed, fmt::format("malformed CoAP message: {}", what));
}

/// The bytes of a datagram from front to back.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes) {}
  [[nodiscard]] bool empty() const { return rest_.empty(); }
  [[nodiscard]] std::size_t size() const { return rest_.size(); }
  [[nodiscard]] std::uint8_t byte() {
    const auto out = static_cast<std::uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    return out;
  }
  [[nodiscard]] std::string_view take(std::size_t size) {
    const auto out = rest_.substr(0, size);
    rest_.remove_prefix(out.size());
    return out;
  }

 private:
  std::string_view rest_;
};

/// A delta or length whose nibble was `nibble`; nothing when it is reserved or cut off.
std::optional<std::uint32_t> extended(std::uint32_t nibble, Reader& reader) {
  if (nibble < kOneByte) return nibble;
  if (nibble == kOneByte) {
    if (reader.empty()) return std::nullopt;
    return kOneByte + reader.byte();
  }
  if (nibble == kReserved || reader.size() < 2) return std::nullopt;
  const std::uint32_t high = reader.byte();
  return kTwoBytesBase + (high << 8 | reader.byte());
}

std::uint8_t nibble_of(std::size_t value) {
  if (value < kOneByte) return static_cast<std::uint8_t>(value);
  return static_cast<std::uint8_t>(value < kTwoBytesBase ? kOneByte : kTwoBytes);
}

void append_extension(std::string& out, std::size_t value) {
  if (value < kOneByte) return;
  if (value < kTwoBytesBase) {
    out += static_cast<char>(value - kOneByte);
    return;
  }
  value -= kTwoBytesBase;
  out += static_cast<char>(value >> 8 & 0xFF);
  out += static_cast<char>(value & 0xFF);
}

}  // namespace

std::string code_text(std::uint8_t code) { return fmt::format("{}.{:02}", code >> 5, code & 0x1F); }

std::string_view code_phrase(std::uint8_t code) {
  const auto* found = std::find_if(std::begin(kPhrases), std::end(kPhrases),
                                   [&](const Phrase& phrase) { return phrase.code == code; });
  return found == std::end(kPhrases) ? std::string_view() : found->text;
}

std::optional<std::uint64_t> Message::uint_option(std::uint16_t number) const {
  for (const auto& [option, value] : options) {
    if (option != number) continue;
    if (value.size() > 8) return std::nullopt;
    std::uint64_t out = 0;
    for (const char c : value) out = out << 8 | static_cast<unsigned char>(c);
    return out;
  }
  return std::nullopt;
}

std::vector<std::string_view> Message::string_options(std::uint16_t number) const {
  std::vector<std::string_view> out;
  for (const auto& [option, value] : options) {
    if (option == number) out.emplace_back(value);
  }
  return out;
}

void Message::add_uint(std::uint16_t number, std::uint64_t value) {
  std::string bytes;  // no leading zero bytes, none at all for 0 (RFC 7252 section 3.2)
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto byte = static_cast<char>(value >> shift & 0xFF);
    if (byte != 0 || !bytes.empty()) bytes += byte;
  }
  add(number, std::move(bytes));
}

Result<Message> parse_message(std::string_view datagram) {
  Reader reader(datagram);
  if (reader.size() < 4) return malformed("shorter than its 4-byte header");
  const std::uint8_t first = reader.byte();
  if (first >> 6 != 1) return malformed(fmt::format("version {} instead of 1", first >> 6));
  const std::size_t token_length = first & 0x0F;
  if (token_length > kMaxToken) return malformed(fmt::format("token length {} is reserved", token_length));

  Message out;
  out.type = static_cast<Type>(first >> 4 & 3);
  out.code = reader.byte();
  const std::uint8_t high = reader.byte();
  out.message_id = static_cast<std::uint16_t>(high << 8 | reader.byte());
  if (out.code == 0) {
    if (token_length != 0 || !reader.empty()) return malformed("an empty message has bytes after its header");
    return out;
  }
  if (const int klass = out.code >> 5; klass == 1 || klass > 5) {
    return malformed(fmt::format("code {} is of a reserved class", code_text(out.code)));
  }
  if (reader.size() < token_length) return malformed("cut off inside its token");
  out.token = reader.take(token_length);

  std::uint32_t number = 0;
  while (!reader.empty()) {
    const std::uint8_t head = reader.byte();
    if (head == kPayloadMarker) {
      if (reader.empty()) return malformed("a payload marker without payload");
      out.payload = reader.take(reader.size());
      return out;
    }
    const auto delta = extended(head >> 4, reader);
    if (!delta) return malformed("an option's delta is reserved or cut off");
    const auto length = extended(head & 0x0F, reader);
    if (!length) return malformed("an option's length is reserved or cut off");
    number += *delta;
    if (number > 0xFFFF) return malformed("an option's number is above 65535");
    if (reader.size() < *length) return malformed(fmt::format("cut off inside option {}", number));
    out.options.emplace_back(static_cast<std::uint16_t>(number), reader.take(*length));
  }
  return out;
}

std::string format_message(const Message& message) {
  const std::size_t token_length = std::min(message.token.size(), kMaxToken);
  std::size_t size = 5 + token_length + message.payload.size();
  for (const auto& [number, value] : message.options) size += 5 + value.size();
  std::string out;
  out.reserve(size);
  out += static_cast<char>(1U << 6 | static_cast<unsigned>(message.type) << 4 | token_length);
  out += static_cast<char>(message.code);
  out += static_cast<char>(message.message_id >> 8);
  out += static_cast<char>(message.message_id & 0xFF);
  out.append(message.token, 0, token_length);

  // Repeated options keep their order: it is the order of path segments.
  std::vector<const std::pair<std::uint16_t, std::string>*> ordered;
  ordered.reserve(message.options.size());
  for (const auto& option : message.options) ordered.push_back(&option);
  std::stable_sort(ordered.begin(), ordered.end(),
                   [](const auto* a, const auto* b) { return a->first < b->first; });
  std::size_t last = 0;
  for (const auto* option : ordered) {
    const auto& [number, value] = *option;
    const std::size_t delta = number - last;
    const std::size_t length = std::min(value.size(), kMaxOptionValue);
    out += static_cast<char>(nibble_of(delta) << 4 | nibble_of(length));
    append_extension(out, delta);
    append_extension(out, length);
    out.append(value, 0, length);
    last = number;
  }

  if (!message.payload.empty()) {
    out += static_cast<char>(kPayloadMarker);
    out += message.payload;
  }
  return out;
}

}  // namespace aiot::coap
