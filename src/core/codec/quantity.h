#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace aiot {

/// A number with an optional unit, as "23°C", "1015.03hPa" and "-4.5 %" hold it.
struct Quantity {
  double number = 0;
  std::string unit;  ///< empty for none
};

/// Reads the whole of `text` (outer white space aside) as a finite decimal number followed by at most
/// one unit of up to 16 characters without digits or white space; nothing for any other text, such as
/// "12:30", "1.2.3", "nan", "0x10" or "23 apples left".
[[nodiscard]] std::optional<Quantity> parse_quantity(std::string_view text);

}  // namespace aiot
