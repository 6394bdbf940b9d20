#pragma once

#include <map>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace aiot::tls {

/// Bounds that every peer can hold (libcoap's and mbed TLS's), in bytes.
inline constexpr std::size_t kMaxPskIdentity = 128;
inline constexpr std::size_t kMaxPskKey = 64;

/// Pre-shared keys (RFC 4279): identity to key.
using PskKeys = std::map<std::string, std::string, std::less<>>;

/// A file of lines IDENTITY:KEY, the key in hex (as mosquitto's psk_file has it) or as text in double quotes;
/// empty lines and those that begin with '#' are skipped. Errc::usage names file and line, and never a key.
[[nodiscard]] Result<PskKeys> parse_psk_keys(std::string_view text, const std::string& file);
/// Reads such a file. Errc::internal when it cannot be read.
[[nodiscard]] Result<PskKeys> read_psk_keys(const std::string& file);

}  // namespace aiot::tls
