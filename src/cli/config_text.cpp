// Keeps toml++ to one translation unit. Its exceptions end here: without them, version 3.3 goes on after
// some errors and runs into its own assertions.
#define TOML_EXCEPTIONS 1
// Its assertions speak of bad files, not of defects: without them it goes on to its own error.
#define TOML_ASSERT(expression) static_cast<void>(0)
#define TOML_ENABLE_FORMATTERS 0
#define TOML_HEADER_ONLY 1
#if defined(__GNUC__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#include <toml++/toml.h>
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif

#include <fmt/format.h>

#include <algorithm>

#include <charconv>
#include <iterator>

#include "cli/config.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

constexpr int kMaxDepth = 4;  // [brokers.paris] is 2

/// toml++ 3.3 has undefined behaviour when it asks what U+00E9 outside of quotes is, so it is shown ASCII
/// only: bytes beyond it, and the mark itself, as a mark and two hexadecimal digits. Bare keys cannot hold
/// the mark.
constexpr char kMark = '~';

std::string to_ascii(std::string_view content) {
  std::string out;
  out.reserve(content.size());
  for (const char c : content) {
    if (c == kMark || static_cast<unsigned char>(c) >= 0x80) {
      fmt::format_to(std::back_inserter(out), "{}{:02X}", kMark, static_cast<unsigned char>(c));
    } else {
      out += c;
    }
  }
  return out;
}

std::string from_ascii(std::string_view text) {
  std::string out;
  for (std::size_t at = 0; at < text.size(); ++at) {
    unsigned char byte = 0;
    if (text[at] == kMark && at + 2 < text.size() &&
        std::from_chars(&text[at + 1], &text[at] + 3, byte, 16).ptr == &text[at] + 3) {
      out += static_cast<char>(byte);
      at += 2;
    } else {
      out += text[at];
    }
  }
  return out;
}

std::string origin_of(const toml::node& node, const std::string& file) {
  return fmt::format("{}:{}", file, node.source().begin.line);
}

std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return from_ascii(text->get());
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

Result<void> collect(const toml::table& table, const std::string& name, const std::string& file, int depth,
                     std::vector<ConfigEntry>& out) {
  for (const auto& [key, node] : table) {
    const auto key_text = from_ascii(key.str());
    if (const auto* inner = node.as_table()) {
      if (depth >= kMaxDepth) {
        return make_error(Errc::usage,
                          fmt::format("{}: tables are nested too deeply", origin_of(node, file)));
      }
      const std::string inner_name = name.empty() ? key_text : fmt::format("{}.{}", name, key_text);
      if (auto done = collect(*inner, inner_name, file, depth + 1, out); !done) return done;
      continue;
    }
    ConfigEntry entry{name, key_text, {}, origin_of(node, file), node.source().begin.line};
    std::optional<std::string> text = scalar_text(node);
    if (text) {
      entry.values.push_back(std::move(*text));
    } else if (const auto* list = node.as_array()) {
      for (const toml::node& item : *list) {
        text = scalar_text(item);
        if (!text) {
          return make_error(Errc::usage, fmt::format("{}: '{}' must be a list of texts or numbers",
                                                     entry.origin, text::escape_controls(key_text)));
        }
        entry.values.push_back(std::move(*text));
      }
    } else {
      return make_error(Errc::usage, fmt::format("{}: '{}' must be a text, a number, true, false or a list",
                                                 entry.origin, text::escape_controls(key_text)));
    }
    out.push_back(std::move(entry));
  }
  return {};
}

}  // namespace

Result<std::vector<ConfigEntry>> parse_config(std::string_view content, const std::string& file) {
  if (content.size() > kMaxConfigBytes) {
    return make_error(Errc::usage, fmt::format("{}: longer than {} bytes", file, kMaxConfigBytes));
  }
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  int number = 0;
  for (const auto line : text::split(content, '\n')) {
    ++number;
    if (!text::is_utf8(line)) return make_error(Errc::usage, fmt::format("{}:{}: not UTF-8", file, number));
  }
  toml::table table;
  try {
    table = toml::parse(to_ascii(content));
  } catch (const toml::parse_error& error) {
    return make_error(Errc::usage, fmt::format("{}:{}: {}", file, error.source().begin.line,
                                               text::escape_controls(from_ascii(error.description()))));
  } catch (const std::exception& error) {
    return make_error(Errc::usage, fmt::format("{}: {}", file, error.what()));
  }
  std::vector<ConfigEntry> out;
  if (auto done = collect(table, "", file, 0, out); !done) return done.error();
  // A table has its keys by name.
  std::stable_sort(out.begin(), out.end(),
                   [](const ConfigEntry& a, const ConfigEntry& b) { return a.line < b.line; });
  return out;
}

}  // namespace aiot::cli
