#pragma once

#include <string>
#include <string_view>

/// Secrets that programs show: random, so that a plain hash of them is enough to keep.
namespace aiot::access {

/// A new secret of 256 random bits: "aiot_" and 43 letters, which scanners for leaked secrets recognise.
[[nodiscard]] std::string make_secret();
/// What is kept of a secret: SHA-256 in hexadecimal.
[[nodiscard]] std::string digest(std::string_view secret);
/// SHA-256 itself, 32 bytes.
[[nodiscard]] std::string digest_bytes(std::string_view secret);
/// A short name for a new token: 8 random hexadecimal digits.
[[nodiscard]] std::string make_id();
/// Compares in a time that tells nothing of where they differ.
[[nodiscard]] bool same_secret(std::string_view a, std::string_view b);

}  // namespace aiot::access
