#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"

namespace aiot::wire {

/// Fernet (AES-128-CBC, HMAC-SHA256; the public Fernet specification): what pyaiot's tokens are. `key` is the
/// 32 bytes in URL-safe base 64. Errc::usage for a bad key.
[[nodiscard]] Result<std::string> fernet_encrypt(std::string_view key, std::string_view plain, WallTime now);
/// Errc::unauthorized when the token is malformed or was not made with `key`; compares in constant time.
[[nodiscard]] Result<std::string> fernet_decrypt(std::string_view key, std::string_view token);
/// When a token that decrypts was made, as its maker's clock had it.
[[nodiscard]] WallTime fernet_time(std::string_view token);
/// A new random key.
[[nodiscard]] std::string fernet_make_key();

}  // namespace aiot::wire
