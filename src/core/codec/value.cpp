#include "core/codec/value.h"

#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "core/base/text.h"
#include "core/codec/content_format.h"
#include "core/codec/quantity.h"
#include "core/codec/senml.h"
#include "core/model/update.h"

namespace aiot {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

bool is_json(std::uint16_t format) {
  return format == content_format::kJson || format == content_format::kSenmlJson ||
         format == content_format::kSensmlJson;
}

bool is_senml_cbor(std::uint16_t format) {
  return format == content_format::kSenmlCbor || format == content_format::kSensmlCbor;
}

bool is_senml(std::uint16_t format) {
  return is_senml_cbor(format) || format == content_format::kSenmlJson ||
         format == content_format::kSensmlJson;
}

std::string dump(const json& value) { return value.dump(-1, ' ', false, json::error_handler_t::replace); }

void add_quantity(ordered_json& object, std::string_view text) {
  if (auto quantity = parse_quantity(text)) {
    object["number"] = quantity->number;
    if (!quantity->unit.empty()) object["unit"] = std::move(quantity->unit);
  }
}

/// A pack of one numeric record reads as that number.
void add_senml_quantity(ordered_json& object, std::string_view bytes, bool cbor) {
  const auto records = cbor ? parse_senml_cbor(bytes) : parse_senml_json(bytes);
  if (!records || records->size() != 1 || !records->front().number) return;
  object["number"] = *records->front().number;
  if (!records->front().unit.empty()) object["unit"] = records->front().unit;
}

/// The payload as its declared format has it; nothing where text is all there is.
std::optional<json> structured(std::string_view bytes, std::optional<std::uint16_t> format, bool as_json) {
  std::optional<Result<json>> parsed;
  if (format && is_senml_cbor(*format)) {
    parsed = senml_cbor_to_json(bytes);
  } else if (format == content_format::kCbor) {
    parsed = parse_cbor(bytes);
  } else if (as_json || (format && is_json(*format))) {
    parsed = parse_json(bytes);
  }
  if (!parsed || !*parsed) return std::nullopt;
  return std::move(**parsed);
}

/// Depth of nesting outside of strings: a bound before the tree is built and recursed into.
bool too_deep(std::string_view text) {
  int depth = 0;
  bool quoted = false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quoted) {
      if (c == '\\') {
        ++i;
      } else if (c == '"') {
        quoted = false;
      }
    } else if (c == '"') {
      quoted = true;
    } else if (c == '[' || c == '{') {
      if (++depth > kMaxJsonDepth) return true;
    } else if (c == ']' || c == '}') {
      --depth;
    }
  }
  return false;
}

}  // namespace

void present_value(ordered_json& object, std::string_view bytes, std::optional<std::uint16_t> content_format,
                   bool parse_json) {
  if (const auto value = structured(bytes, content_format, parse_json)) {
    object["value"] = *value;
    if (value->is_number()) {
      object["number"] = value->get<double>();
    } else if (value->is_string()) {
      add_quantity(object, value->get_ref<const std::string&>());
    } else if (content_format && is_senml(*content_format)) {
      add_senml_quantity(object, bytes, is_senml_cbor(*content_format));
    }
  } else if (text::is_utf8(bytes)) {
    object["value"] = bytes;
    add_quantity(object, bytes);
  } else {
    object["value"] = text::base64(bytes);
    object["encoding"] = "base64";
  }
  if (content_format) object["format"] = content_format_name(*content_format);
}

std::string value_text(std::string_view bytes, std::optional<std::uint16_t> content_format) {
  if (content_format && (content_format == content_format::kCbor || is_senml_cbor(*content_format))) {
    if (const auto value = structured(bytes, content_format, false)) return dump(*value);
  }
  return std::string(bytes);
}

Result<json> parse_json(std::string_view text) {
  if (too_deep(text)) {
    return make_error(Errc::peer_failed,
                      fmt::format("malformed JSON: nested more than {} levels deep", kMaxJsonDepth));
  }
  try {
    return json::parse(text);
  } catch (const json::parse_error& error) {
    return make_error(Errc::peer_failed, fmt::format("malformed JSON at offset {}", error.byte));
  } catch (const json::exception&) {
    return make_error(Errc::peer_failed, "malformed JSON: a number too large to hold");
  }
}

}  // namespace aiot
