#pragma once

#include <string>
#include <string_view>
#include <unordered_map>

#include "core/base/result.h"

namespace aiot::gateway {

/// Bounds of a token, in bytes: one that can be guessed is none.
inline constexpr std::size_t kMinNodeToken = 16, kMaxNodeToken = 128;

/// With which token (Authorization: Bearer, RFC 6750) a WebSocket node may connect, and under which id alone.
class NodeTokens {
 public:
  /// A file of lines ID:TOKEN, split at the last colon; empty lines and those that begin with '#' are
  /// skipped. An id may have several tokens, so that one can follow another without a pause. Errc::usage
  /// names file and line, and never a token. Pure.
  [[nodiscard]] static Result<NodeTokens> parse(std::string_view text, const std::string& file);
  /// Reads such a file. Errc::usage when others can write it, Errc::internal when it cannot be read.
  [[nodiscard]] static Result<NodeTokens> read(const std::string& file);

  /// Whose it is; null when it is nobody's.
  [[nodiscard]] const std::string* owner(const std::string& token) const;
  [[nodiscard]] std::size_t size() const { return owners_.size(); }

 private:
  std::unordered_map<std::string, std::string> owners_;  ///< id by token
};

}  // namespace aiot::gateway
