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

#include "cli/config.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

constexpr int kMaxDepth = 4;  // [brokers.paris] is 2

/// The line of the first byte beyond ASCII outside of quotes and comments, 0 for none. TOML has no place for
/// one there, and toml++ 3.3 runs into undefined behaviour when it asks whether U+00E9 is a space.
std::size_t line_of_stray_letter(std::string_view content) {
  std::size_t line = 1;
  std::size_t at = content.starts_with("\xEF\xBB\xBF") ? 3 : 0;
  while (at < content.size()) {
    const char c = content[at];
    if (static_cast<unsigned char>(c) >= 0x80) return line;
    if (c == '#') {
      at = std::min(content.find('\n', at), content.size());
      continue;
    }
    if (c != '"' && c != '\'') {
      line += c == '\n' ? 1 : 0;
      ++at;
      continue;
    }
    const bool many_lines = content.substr(at).starts_with(std::string(3, c));
    const std::string end(many_lines ? 3 : 1, c);
    at += end.size();
    while (at < content.size() && !content.substr(at).starts_with(end)) {
      if (content[at] == '\n' && !many_lines) break;  // not valid: toml++ reads no further
      if (content[at] == '\\' && c == '"' && at + 1 < content.size()) ++at;
      line += content[at] == '\n' ? 1 : 0;
      ++at;
    }
    if (content.substr(at).starts_with(end)) at += end.size();
  }
  return 0;
}

std::string origin_of(const toml::node& node, const std::string& file) {
  return fmt::format("{}:{}", file, node.source().begin.line);
}

std::optional<std::string> scalar_text(const toml::node& node) {
  if (const auto* text = node.as_string()) return text->get();
  if (const auto* number = node.as_integer()) return fmt::format("{}", number->get());
  if (const auto* number = node.as_floating_point()) return fmt::format("{}", number->get());
  if (const auto* truth = node.as_boolean()) return truth->get() ? "true" : "false";
  return std::nullopt;
}

Result<void> collect(const toml::table& table, const std::string& name, const std::string& file, int depth,
                     std::vector<ConfigEntry>& out) {
  for (const auto& [key, node] : table) {
    const std::string key_text(key.str());
    if (const auto* inner = node.as_table()) {
      if (depth >= kMaxDepth) {
        return make_error(Errc::usage,
                          fmt::format("{}: tables are nested too deeply", origin_of(node, file)));
      }
      const std::string inner_name = name.empty() ? key_text : fmt::format("{}.{}", name, key_text);
      if (auto done = collect(*inner, inner_name, file, depth + 1, out); !done) return done;
      continue;
    }
    ConfigEntry entry{name, key_text, {}, origin_of(node, file)};
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

/// The first line whose table header has no name, 0 for none: toml++ 3.3 meets "[)" with an assertion.
int nameless_header(std::string_view content) {
  int number = 0;
  for (auto line : text::split(content, '\n')) {
    ++number;
    line = text::trim(line);
    if (line.empty() || line.front() != '[') continue;
    line.remove_prefix(line.size() > 1 && line[1] == '[' ? 2 : 1);
    line = text::trim(line);
    const char c = line.empty() ? ']' : line.front();
    const bool named = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                       c == '_' || c == '-' || c == '"' || c == '\'';
    if (!named) return number;
  }
  return 0;
}

}  // namespace

Result<std::vector<ConfigEntry>> parse_config(std::string_view content, const std::string& file) {
  if (content.size() > kMaxConfigBytes) {
    return make_error(Errc::usage, fmt::format("{}: longer than {} bytes", file, kMaxConfigBytes));
  }
  if (const auto line = line_of_stray_letter(content); line != 0) {
    return make_error(Errc::usage, fmt::format("{}:{}: a letter beyond ASCII must be in quotes", file, line));
  }
  if (const int line = nameless_header(content); line != 0) {
    return make_error(Errc::usage, fmt::format("{}:{}: a table without a name", file, line));
  }
  toml::table table;
  try {
    table = toml::parse(content);
  } catch (const toml::parse_error& error) {
    return make_error(Errc::usage, fmt::format("{}:{}: {}", file, error.source().begin.line,
                                               text::escape_controls(error.description())));
  } catch (const std::exception& error) {
    return make_error(Errc::usage, fmt::format("{}: {}", file, error.what()));
  }
  std::vector<ConfigEntry> out;
  if (auto done = collect(table, "", file, 0, out); !done) return done.error();
  return out;
}

}  // namespace aiot::cli
