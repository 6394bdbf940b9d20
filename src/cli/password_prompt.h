#pragma once

#include <string>

#include "core/base/result.h"

namespace aiot::cli {

/// A new password: the first line of `file` ("-": of standard input), or typed twice at the terminal, unseen.
/// Errc::usage when there is neither, or the two differ.
[[nodiscard]] Result<std::string> read_new_password(const std::string& file);

}  // namespace aiot::cli
