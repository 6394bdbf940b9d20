#pragma once

#include <cstdint>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace aiot {

/// Adds `value`, and where they apply `encoding`, `number`, `unit` and `format`, to `object`. JSON, CBOR
/// and SenML (JSON and CBOR) are parsed when `content_format` declares them, or JSON also when
/// `parse_json`; what does not parse is shown as text. Bytes that are not UTF-8 are base64. A JSON
/// number (or a string) as the value gives `number` too.
void present_value(nlohmann::ordered_json& object, std::string_view bytes,
                   std::optional<std::uint16_t> content_format, bool parse_json = false);

/// The payload as one text for people: CBOR and SenML as JSON text, other bytes as they are.
[[nodiscard]] std::string value_text(std::string_view bytes, std::optional<std::uint16_t> content_format);

/// Bounded decoders; Errc::peer_failed says what did not parse and at which offset. Depth is at most
/// kMaxJsonDepth.
[[nodiscard]] Result<nlohmann::json> parse_json(std::string_view text);
/// CBOR (RFC 8949) to JSON: byte strings become base64url (section 6.1), tags are dropped, map keys that
/// are not text are written as JSON text, and a map or array as a key is an error.
[[nodiscard]] Result<nlohmann::json> parse_cbor(std::string_view bytes);
[[nodiscard]] std::string format_cbor(const nlohmann::json& value);

}  // namespace aiot
