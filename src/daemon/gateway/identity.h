#pragma once

#include <string>
#include <string_view>

namespace aiot::gateway {

inline constexpr std::size_t kMaxUidCharacters = 64;

/// True for 1 to 64 printable characters (well-formed UTF-8 without controls, separators and invisible
/// formatting) of at most kMaxUid bytes.
[[nodiscard]] bool is_uid(std::string_view uid);

/// True for a name that an MQTT topic can hold between two slashes: is_uid() without '/', '+' and '#'.
[[nodiscard]] bool is_node_id(std::string_view id);

/// True for a resource name: 1 to kMaxResource bytes of printable UTF-8.
[[nodiscard]] bool is_resource_name(std::string_view name);

/// True for UTF-8 text whose only control characters are tab and line ends.
[[nodiscard]] bool is_plain_text(std::string_view text);

/// The name-based UUID (RFC 4122 version 5) of a node that has no uid of its own.
[[nodiscard]] std::string make_uid(std::string_view site, std::string_view protocol, std::string_view id);

}  // namespace aiot::gateway
