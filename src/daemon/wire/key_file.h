#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"

namespace aiot::wire {

/// pyaiot's key file: INI, `[keys]` with `secret` and `private` (a Fernet key).
struct Keys {
  std::string secret;
  std::string private_key;
};

/// Errc::usage names file and line of what is wrong; Errc::internal when it cannot be read.
[[nodiscard]] Result<Keys> read_key_file(const std::string& path);
/// New random keys, written with mode 0600; never overwrites (Errc::usage).
[[nodiscard]] Result<Keys> create_key_file(const std::string& path);
/// `$XDG_CONFIG_HOME/aiot/keys`.
[[nodiscard]] std::string default_key_file();

/// The token of a pyaiot gateway: the secret, encrypted.
[[nodiscard]] Result<std::string> pyaiot_token(const Keys& keys, WallTime now);
/// The token of a native gateway: the secret and the gateway's name, encrypted.
[[nodiscard]] Result<std::string> gateway_token(const Keys& keys, std::string_view gateway, WallTime now);

/// Whom `token` admits: the gateway's name, or empty for a pyaiot token. Errc::unauthorized otherwise.
[[nodiscard]] Result<std::string> check_token(const Keys& keys, std::string_view token);

}  // namespace aiot::wire
