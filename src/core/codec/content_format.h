#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"

namespace aiot {

/// CoAP content-format numbers (RFC 7252 section 12.3, RFC 8428 section 12.3.1) used by name.
namespace content_format {
inline constexpr std::uint16_t kText = 0, kLinkFormat = 40, kXml = 41, kOctetStream = 42, kJson = 50,
                               kCbor = 60, kSenmlJson = 110, kSensmlJson = 111, kSenmlCbor = 112,
                               kSensmlCbor = 113;
}

/// "text/plain", "application/json" ...; the number as text for one without a name here.
[[nodiscard]] std::string content_format_name(std::uint16_t number);
/// By number ("50"), media type ("application/json") or short name (text, json, cbor, senml+json,
/// senml+cbor, link-format, octet-stream, xml). Errc::usage naming what is known.
[[nodiscard]] Result<std::uint16_t> parse_content_format(std::string_view text);

}  // namespace aiot
