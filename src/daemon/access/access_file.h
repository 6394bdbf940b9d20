#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/function.h"
#include "core/base/result.h"
#include "core/base/time.h"
#include "core/model/principal.h"

/// Users, tokens and revocations: what a broker's users file holds (aiot-users(1)). Passwords and tokens are
/// only there as what they can be checked with.
namespace aiot::access {

inline constexpr std::size_t kMaxUsers = 1000, kMaxTokens = 10'000, kMaxName = 64, kMaxGatewayName = 128;
inline constexpr std::size_t kMaxPatterns = 64, kMaxPattern = 256;

struct User {
  std::string name;
  Role role = Role::viewer;
  std::string password;  ///< argon2id
  WallTime created{};
};

struct Token {
  std::string id;
  std::string name;  ///< what it is for
  Role role = Role::none;
  std::string gateway;  ///< the gateway that it is bound to, which has no role; else empty
  std::string hash;     ///< digest() of the secret
  WallTime created{};
  std::optional<WallTime> expires;
  Scope scope;
};

/// Tokens made with the key file for this gateway up to that time are refused.
struct Revocation {
  std::string gateway;
  WallTime until{};
};

struct Contents {
  std::vector<User> users;
  std::vector<Token> tokens;
  std::vector<Revocation> revoked;

  [[nodiscard]] const User* user(std::string_view name) const;
  /// Somebody can be told apart from everybody: there is a user, or a token that is no gateway's.
  [[nodiscard]] bool has_clients() const;
};

/// Errc::usage when a user or token cannot be called so: 1 to 64 printable characters, no spaces around them.
[[nodiscard]] Result<void> check_name(std::string_view what, std::string_view name);

/// The file's text and back; pure. Errc::usage names what is wrong and where.
[[nodiscard]] std::string format_contents(const Contents& contents);
[[nodiscard]] Result<Contents> parse_contents(std::string_view text);

/// A missing file holds nothing. Errc::usage names the file and what is wrong in it, Errc::internal why it
/// cannot be read.
[[nodiscard]] Result<Contents> read_access_file(const std::string& path);
/// Reads, changes and replaces the file, while no other process does; an error of `change` leaves it as it
/// is.
[[nodiscard]] Result<void> change_access_file(const std::string& path,
                                              const UniqueFunction<Result<void>(Contents&)>& change);

}  // namespace aiot::access
