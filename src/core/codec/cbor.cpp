#include <fmt/core.h>

#include <bit>
#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/codec/value.h"
#include "core/model/update.h"

namespace aiot {

namespace {

using nlohmann::json;

/// Major types of the initial byte (RFC 8949 section 3.1).
enum Major : unsigned { kUnsigned, kNegative, kBytes, kText, kArray, kMap, kTag, kSimple };
constexpr unsigned kIndefinite = 31;
constexpr std::uint8_t kBreak = 0xFF;

struct Head {
  unsigned major = 0;
  unsigned info = 0;
  std::uint64_t argument = 0;
  [[nodiscard]] bool indefinite() const { return info == kIndefinite; }
};

double half_to_double(std::uint64_t bits) {
  const int exponent = static_cast<int>(bits >> 10 & 0x1F);
  const auto mantissa = static_cast<double>(bits & 0x3FF);
  double out = 0;
  if (exponent == 0) {
    out = std::ldexp(mantissa, -24);
  } else if (exponent != 31) {
    out = std::ldexp(mantissa + 1024, exponent - 25);
  } else {
    out = mantissa == 0 ? std::numeric_limits<double>::infinity() : std::numeric_limits<double>::quiet_NaN();
  }
  return (bits & 0x8000) != 0 ? -out : out;
}

/// JSON has no NaN and no infinity; RFC 8949 section 6.1 substitutes null.
json number(double value) { return std::isfinite(value) ? json(value) : json(nullptr); }

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

/// Recursive descent with a bound on depth. Sizes are checked against the bytes left before anything
/// is allocated, so that a short input cannot announce a large one.
class Decoder {
 public:
  explicit Decoder(std::string_view bytes) : bytes_(bytes) {}

  Result<json> run() {
    json out;
    if (!item(out, 0)) return failure();
    if (at_ != bytes_.size()) {
      fail("bytes after its end");
      return failure();
    }
    return out;
  }

 private:
  [[nodiscard]] Error failure() const {
    return make_error(Errc::peer_failed, fmt::format("malformed CBOR at offset {}: {}", failed_at_, why_));
  }

  bool fail(std::string_view why) {
    why_ = why;
    failed_at_ = at_;
    return false;
  }

  [[nodiscard]] std::size_t left() const { return bytes_.size() - at_; }
  [[nodiscard]] std::uint8_t peek() const { return static_cast<std::uint8_t>(bytes_[at_]); }

  bool head(Head& out) {
    if (left() == 0) return fail("it is cut off");
    const std::uint8_t first = peek();
    out.major = first >> 5;
    out.info = first & 0x1F;
    out.argument = out.info;
    if (out.info > 27 && out.info < kIndefinite) return fail("a reserved length");
    if (out.info == kIndefinite && (out.major < kBytes || out.major == kTag)) {
      return fail("a type that cannot be of indefinite length");
    }
    const std::size_t follow =
        out.info < 24 || out.info == kIndefinite ? 0 : std::size_t{1} << (out.info - 24);
    if (left() < 1 + follow) return fail("it is cut off");
    ++at_;
    if (follow > 0) out.argument = 0;
    for (std::size_t i = 0; i < follow; ++i)
      out.argument = out.argument << 8 | static_cast<std::uint8_t>(bytes_[at_++]);
    return true;
  }

  bool at_break() {
    if (left() == 0 || peek() != kBreak) return false;
    ++at_;
    return true;
  }

  bool item(json& out, int depth) {
    Head h;
    do {
      if (!head(h)) return false;
    } while (h.major == kTag);
    if (depth >= kMaxJsonDepth && (h.major == kArray || h.major == kMap))
      return fail("it is nested too deeply");
    switch (h.major) {
      case kUnsigned: out = h.argument; return true;
      case kNegative:
        // -1 - n; beyond 64 bits it is only nearly right, as every JSON number would be.
        if (h.argument > static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
          out = -1.0 - static_cast<double>(h.argument);
        } else {
          out = -1 - static_cast<std::int64_t>(h.argument);
        }
        return true;
      case kBytes:
      case kText: {
        std::string value;
        if (!string(h, value)) return false;
        if (h.major == kBytes) {
          value = text::base64url(value);
          value.erase(value.find_last_not_of('=') + 1);
        }
        out = std::move(value);
        return true;
      }
      case kArray: return array(h, out, depth);
      case kMap: return map(h, out, depth);
      default: return simple(h, out);
    }
  }

  bool chunk(const Head& h, std::string& value) {
    if (h.argument > left()) return fail("a string is longer than what is left");
    const auto part = bytes_.substr(at_, static_cast<std::size_t>(h.argument));
    if (h.major == kText && !text::is_utf8(part)) return fail("a text that is not UTF-8");
    value += part;
    at_ += part.size();
    return true;
  }

  bool string(const Head& h, std::string& value) {
    if (!h.indefinite()) return chunk(h, value);
    while (!at_break()) {
      Head part;
      if (!head(part)) return false;
      if (part.major != h.major || part.indefinite()) return fail("a chunk of another type");
      if (!chunk(part, value)) return false;
    }
    return true;
  }

  bool array(const Head& h, json& out, int depth) {
    out = json::array();
    if (!h.indefinite() && h.argument > left()) return fail("an array is longer than what is left");
    for (std::uint64_t i = 0; h.indefinite() ? !at_break() : i < h.argument; ++i) {
      out.emplace_back();
      if (!item(out.back(), depth + 1)) return false;
    }
    return true;
  }

  bool map(const Head& h, json& out, int depth) {
    out = json::object();
    if (!h.indefinite() && h.argument > left() / 2) return fail("a map is longer than what is left");
    for (std::uint64_t i = 0; h.indefinite() ? !at_break() : i < h.argument; ++i) {
      json key;
      if (!item(key, kMaxJsonDepth)) return false;  // a scalar: keys inside keys would grow with every escape
      json& value = out[key.is_string() ? key.get_ref<const std::string&>() : dump(key)];
      if (!item(value, depth + 1)) return false;
    }
    return true;
  }

  bool simple(const Head& h, json& out) {
    switch (h.info) {
      case 20: out = false; return true;
      case 21: out = true; return true;
      case 24:
        if (h.argument < 32) return fail("a simple value in a longer form than allowed");
        out = nullptr;
        return true;
      case 25: out = number(half_to_double(h.argument)); return true;
      case 26:
        out = number(static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(h.argument))));
        return true;
      case 27: out = number(std::bit_cast<double>(h.argument)); return true;
      case kIndefinite: --at_; return fail("a break outside of anything");
      default: out = nullptr; return true;  // null, undefined and values without a meaning in JSON
    }
  }

  std::string_view bytes_;
  std::size_t at_ = 0;
  std::string_view why_;
  std::size_t failed_at_ = 0;
};

}  // namespace

Result<json> parse_cbor(std::string_view bytes) { return Decoder(bytes).run(); }

std::string format_cbor(const json& value) {
  std::string out;
  json::to_cbor(value, nlohmann::detail::output_adapter<char>(out));
  return out;
}

}  // namespace aiot
