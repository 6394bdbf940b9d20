#include "core/codec/quantity.h"

#include <charconv>
#include <cmath>

#include "core/base/text.h"

namespace aiot {

namespace {

constexpr std::size_t kMaxUnitCharacters = 16;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

/// True for what reads as a unit: letters, '%', '$' and anything beyond ASCII; after the first character
/// also what joins units, as in "km/h", "m^-s" or "kg-m".
bool is_unit(std::string_view unit) {
  std::size_t characters = 0;
  for (std::size_t i = 0; i < unit.size(); ++i) {
    const char c = unit[i];
    const bool ascii = static_cast<unsigned char>(c) < 0x80;
    const bool joins = i > 0 && (c == '/' || c == '^' || c == '-');
    if (ascii && !is_letter(c) && c != '%' && c != '$' && !joins) return false;
    if ((static_cast<unsigned char>(c) & 0xC0) != 0x80) ++characters;
    // C1 controls and the no-break spaces are no part of a unit.
    if (static_cast<unsigned char>(c) == 0xC2 && i + 1 < unit.size() &&
        static_cast<unsigned char>(unit[i + 1]) <= 0xA0) {
      return false;
    }
  }
  return characters <= kMaxUnitCharacters && text::is_utf8(unit);
}

}  // namespace

std::optional<Quantity> parse_quantity(std::string_view text) {
  text = text::trim(text);
  if (text.empty()) return std::nullopt;
  if (text.front() == '+') {
    text.remove_prefix(1);
    if (text.empty() || text.front() == '-') return std::nullopt;
  }
  // from_chars would also read "inf" and "nan".
  const std::size_t sign = text.front() == '-' ? 1 : 0;
  const bool digit_first = text.size() > sign && is_digit(text[sign]);
  const bool point_first = text.size() > sign + 1 && text[sign] == '.' && is_digit(text[sign + 1]);
  if (!digit_first && !point_first) return std::nullopt;

  Quantity out;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), out.number);
  if (parsed.ec != std::errc() || !std::isfinite(out.number)) return std::nullopt;
  auto unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
  while (!unit.empty() && (unit.front() == ' ' || unit.front() == '\t')) unit.remove_prefix(1);
  if (!is_unit(unit)) return std::nullopt;
  out.unit = unit;
  return out;
}

}  // namespace aiot
