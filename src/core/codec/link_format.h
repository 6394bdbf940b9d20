#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/result.h"

namespace aiot {

/// One link of a CoRE link-format document (RFC 6690).
struct Link {
  std::string target;  ///< as written between '<' and '>'
  /// Attributes in order; names lower case; a bare one ("obs") has no value; quotes are removed.
  std::vector<std::pair<std::string, std::optional<std::string>>> attributes;

  [[nodiscard]] bool has(std::string_view name) const;
  /// The first value of `name`; nothing when absent or bare.
  [[nodiscard]] std::optional<std::string_view> value(std::string_view name) const;
  /// The space-separated values of every `name` (rt="a b";rt=c gives a, b, c).
  [[nodiscard]] std::vector<std::string> values(std::string_view name) const;
};

inline constexpr std::size_t kMaxLinkFormatBytes = 256 * 1024;
inline constexpr std::size_t kMaxLinks = 4096;

/// Errc::peer_failed with the offset of what does not parse, or of the bound that was hit.
[[nodiscard]] Result<std::vector<Link>> parse_link_format(std::string_view text);
/// The document of `links`; values that need it are quoted.
[[nodiscard]] std::string format_link_format(const std::vector<Link>& links);

}  // namespace aiot
