#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Small text tools that more than one room needs. All are pure.
namespace aiot::text {

/// True when `bytes` is well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms).
[[nodiscard]] bool is_utf8(std::string_view bytes);

/// `bytes` with control characters (C0, DEL, C1) and invalid UTF-8 shown as \n, \t, \xHH.
[[nodiscard]] std::string escape_controls(std::string_view bytes);

/// Appends `bytes` as the inside of a JSON string (RFC 8259), without quotes. Invalid UTF-8 becomes
/// U+FFFD.
void append_json_escaped(std::string& out, std::string_view bytes);
/// `bytes` as a JSON string with its quotes.
[[nodiscard]] std::string json_string(std::string_view bytes);

/// Base 64 with padding (RFC 4648 section 4), and its URL-safe alphabet (section 5).
[[nodiscard]] std::string base64(std::string_view bytes);
[[nodiscard]] std::string base64url(std::string_view bytes);
/// Decodes either alphabet, padding optional; nothing for anything else.
[[nodiscard]] std::optional<std::string> decode_base64(std::string_view text);

[[nodiscard]] std::string lower(std::string_view text);
[[nodiscard]] std::string_view trim(std::string_view text);
[[nodiscard]] std::vector<std::string_view> split(std::string_view text, char separator);

/// The candidate nearest to `word` (edit distance at most 2 and less than half its length), for
/// "did you mean"; empty when none is near.
[[nodiscard]] std::string_view nearest(std::string_view word,
                                       const std::vector<std::string_view>& candidates);

/// `name` matches `pattern`, where `*` stands for any run of characters.
[[nodiscard]] bool glob_match(std::string_view pattern, std::string_view name);
/// The same for names of segments with '/' between them: `*` stays within one.
[[nodiscard]] bool path_match(std::string_view pattern, std::string_view name);

}  // namespace aiot::text
