#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/base/time.h"

namespace aiot::wire {

/// pyaiot's key file: INI, `[keys]` with `secret` and `private` (a Fernet key), and after a rotation
/// `[previous]` with the pair before, which is still good.
struct Keys {
  std::string secret;
  std::string private_key;
  std::string previous_secret;  ///< empty when there is none
  std::string previous_private_key;

  [[nodiscard]] bool has_previous() const { return !previous_secret.empty(); }
  friend bool operator==(const Keys&, const Keys&) = default;
};

/// Errc::usage names file and line of what is wrong; Errc::internal when it cannot be read.
[[nodiscard]] Result<Keys> read_key_file(const std::string& path);
/// New random keys, written with mode 0600; never overwrites (Errc::usage).
[[nodiscard]] Result<Keys> create_key_file(const std::string& path);
/// Makes a new pair; the current one becomes the previous. Errc::usage while there still is a previous one.
[[nodiscard]] Result<Keys> rotate_key_file(const std::string& path);
/// Forgets the previous pair. Errc::usage when there is none.
[[nodiscard]] Result<Keys> retire_key_file(const std::string& path);
/// `$XDG_CONFIG_HOME/aiot/keys`.
[[nodiscard]] std::string default_key_file();

/// The token of a pyaiot gateway: the secret, encrypted.
[[nodiscard]] Result<std::string> pyaiot_token(const Keys& keys, WallTime now);
/// The token of a native gateway: the secret and the gateway's name, encrypted.
[[nodiscard]] Result<std::string> gateway_token(const Keys& keys, std::string_view gateway, WallTime now);

/// What a token says, once it is known to be good.
struct TokenClaim {
  std::string gateway;    ///< empty for a pyaiot token
  bool previous = false;  ///< made with the previous pair
  WallTime issued{};
};
/// Whom `token` admits. Errc::unauthorized when it was made with neither pair.
[[nodiscard]] Result<TokenClaim> check_token(const Keys& keys, std::string_view token);

}  // namespace aiot::wire
