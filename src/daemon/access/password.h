#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/result.h"

/// Passwords of users, kept as argon2id (RFC 9106). Both calls take some ten milliseconds and 19 MiB: a
/// daemon makes them on a worker thread.
namespace aiot::access {

inline constexpr std::size_t kMinPassword = 8, kMaxPassword = 1024;

/// The text to keep. Errc::usage for a password that is too short or long.
[[nodiscard]] Result<std::string> hash_password(std::string_view password);
/// True when `kept` was made from `password`. With an empty `kept` it takes as long and is false, so that the
/// time tells nobody whether a user exists.
[[nodiscard]] bool check_password(const std::string& kept, std::string_view password);

}  // namespace aiot::access
