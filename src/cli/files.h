#pragma once

#include <cstddef>
#include <string>

#include "core/base/result.h"

namespace aiot::cli {

/// The bound on anything a command reads whole: a payload, a list of targets.
inline constexpr std::size_t kMaxInputBytes = 64 * 1024 * 1024;

/// The bytes of a file. Errc::internal with errno in `native` when it cannot be read, Errc::usage when it is
/// longer than `most`.
[[nodiscard]] Result<std::string> read_file(const std::string& path, std::size_t most = kMaxInputBytes);
/// Standard input to its end.
[[nodiscard]] Result<std::string> read_stdin(std::size_t most = kMaxInputBytes);
/// A secret: the file's text without the white space around it. Errc::usage when there is none, and as
/// read_secret_file() has them.
[[nodiscard]] Result<std::string> read_secret(const std::string& path);
/// The payload that VALUE names: the text itself, "-" for standard input, "@FILE" for a file, byte for byte.
[[nodiscard]] Result<std::string> read_value(const std::string& value);

}  // namespace aiot::cli
