#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"

/// What goes to stderr.
namespace aiot::cli {

/// `{"error":{"code","message","uri","outcome"}}`, keys that do not apply left out; one line.
[[nodiscard]] std::string error_json(const Error& error, std::string_view uri);
/// "aiot: URI: message", one line.
[[nodiscard]] std::string error_sentence(const Error& error, std::string_view uri);

/// Writes one line to stderr, in one write; nothing can be done when that fails.
void write_stderr(std::string line);
/// Reports in the format asked for.
void report_error(const Error& error, std::string_view uri, bool json);

}  // namespace aiot::cli
