#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "core/base/result.h"

/// Files that hold secrets: keys, tokens, passwords (aiot(1), "Secrets").
namespace aiot {

inline constexpr std::size_t kMaxSecretBytes = 64 * 1024;

/// What permissions and owner of a file say about a secret in it.
struct SecretSafety {
  /// Others than the owner and root can write it, so that what it says is anybody's word: the sentence that
  /// says so and how to change it; empty when they cannot.
  std::string refusal;
  std::string warning;  ///< others can read it; likewise
};

/// Of the file at `path`, that has to be there. What is no ordinary file (a pipe) and what systemd handed
/// over is fine. Errc::internal, with errno in `native`, when it cannot be looked at.
[[nodiscard]] Result<SecretSafety> secret_safety(const std::string& path);

/// Errc::usage when others can write the file at `path`; that they can read it is a warning in the log. For a
/// file that a library reads by itself.
[[nodiscard]] Result<void> check_secret_file(const std::string& path);

/// The bytes of the file, checked likewise. `what` names it in errors: "key file". Errc::internal, with errno
/// in `native`, when it cannot be read, Errc::usage when it is a folder or longer than `most`.
[[nodiscard]] Result<std::string> read_secret_file(const std::string& path, std::string_view what,
                                                   std::size_t most = kMaxSecretBytes);

/// The path of what systemd handed over as `name` (LoadCredential=, systemd.exec(5)); empty when it did not,
/// or when it is blank, as an optional one is that is not there.
[[nodiscard]] std::string credential_file(std::string_view name);

}  // namespace aiot
