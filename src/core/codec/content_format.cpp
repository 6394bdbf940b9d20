#include "core/codec/content_format.h"

#include <fmt/core.h>

#include <charconv>

#include "core/base/text.h"

namespace aiot {

namespace {

struct Format {
  std::uint16_t number;
  std::string_view media_type;
  std::string_view short_name;  ///< empty for none
};

/// IANA, "CoAP Content-Formats", as far as people meet them.
constexpr Format kFormats[] = {
    {content_format::kText, "text/plain", "text"},
    {content_format::kLinkFormat, "application/link-format", "link-format"},
    {content_format::kXml, "application/xml", "xml"},
    {content_format::kOctetStream, "application/octet-stream", "octet-stream"},
    {47, "application/exi", "exi"},
    {content_format::kJson, "application/json", "json"},
    {51, "application/json-patch+json", "json-patch"},
    {52, "application/merge-patch+json", "merge-patch"},
    {content_format::kCbor, "application/cbor", "cbor"},
    {61, "application/cwt", "cwt"},
    {62, "application/multipart-core", "multipart-core"},
    {63, "application/cbor-seq", "cbor-seq"},
    {content_format::kSenmlJson, "application/senml+json", "senml+json"},
    {content_format::kSensmlJson, "application/sensml+json", "sensml+json"},
    {content_format::kSenmlCbor, "application/senml+cbor", "senml+cbor"},
    {content_format::kSensmlCbor, "application/sensml+cbor", "sensml+cbor"},
    {310, "application/senml+xml", ""},
    {311, "application/sensml+xml", ""},
    {320, "application/senml-etch+json", ""},
    {322, "application/senml-etch+cbor", ""},
    {11542, "application/vnd.oma.lwm2m+tlv", ""},
    {11543, "application/vnd.oma.lwm2m+json", ""},
    {11544, "application/vnd.oma.lwm2m+cbor", ""},
};

}  // namespace

std::string content_format_name(std::uint16_t number) {
  for (const auto& format : kFormats) {
    if (format.number == number) return std::string(format.media_type);
  }
  return std::to_string(number);
}

Result<std::uint16_t> parse_content_format(std::string_view text) {
  std::uint16_t number = 0;
  const char* end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, number);
  if (!text.empty() && parsed.ec == std::errc() && parsed.ptr == end) return number;
  // Parameters such as charset=utf-8 do not change the number.
  const std::string name = text::lower(text::trim(text.substr(0, text.find(';'))));
  std::string known;
  for (const auto& format : kFormats) {
    if (name == format.media_type || (!format.short_name.empty() && name == format.short_name)) {
      return format.number;
    }
    if (format.short_name.empty()) continue;
    if (!known.empty()) known += ", ";
    known += format.short_name;
  }
  return make_error(Errc::usage, fmt::format("'{}' is not a content format: give a number from 0 to 65535, "
                                             "a media type, or one of {}",
                                             text::escape_controls(text), known));
}

}  // namespace aiot
