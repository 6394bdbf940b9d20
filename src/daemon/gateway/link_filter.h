#pragma once

#include <string_view>

namespace aiot {
struct Link;

namespace gateway {

/// A filter's value against one of a link (RFC 6690 section 4.1): the same, or beginning alike before a final
/// '*'.
[[nodiscard]] bool matches(std::string_view value, std::string_view pattern);
/// The whole of the link's attribute `name`, or one of its words, matches.
[[nodiscard]] bool attribute_matches(const Link& link, std::string_view name, std::string_view pattern);

}  // namespace gateway
}  // namespace aiot
