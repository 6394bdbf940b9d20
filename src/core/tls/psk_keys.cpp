#include "core/tls/psk_keys.h"

#include <fmt/format.h>

#include <cerrno>
#include <fstream>
#include <iterator>
#include <optional>

#include "core/base/secret_file.h"
#include "core/base/text.h"

namespace aiot::tls {
namespace {

/// Room for 65,536 nodes.
constexpr std::size_t kMaxFile = 16UL * 1024 * 1024;

int digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  const char low = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return low >= 'a' && low <= 'f' ? low - 'a' + 10 : -1;
}

std::optional<std::string> from_hex(std::string_view hex) {
  if (hex.size() % 2 != 0) return std::nullopt;
  std::string bytes;
  for (std::size_t i = 0; i < hex.size(); i += 2) {
    const int high = digit(hex[i]);
    const int low = digit(hex[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    bytes += static_cast<char>(high * 16 + low);
  }
  return bytes;
}

/// One line; an Error's message says what is wrong with it.
Result<std::pair<std::string, std::string>> parse_line(std::string_view line) {
  const auto bad = [](const char* what) { return make_error(Errc::usage, what); };
  const bool quoted = line.size() > 1 && line.back() == '"' && line.find(":\"") < line.size() - 2;
  const auto colon = quoted ? line.find(":\"") : line.rfind(':');
  if (colon == std::string_view::npos) return bad("it is not IDENTITY:KEY");
  const auto identity = line.substr(0, colon);
  if (identity.empty() || identity.size() > kMaxPskIdentity) return bad("an identity has 1 to 128 bytes");
  const auto text = line.substr(colon + 1);
  const auto key =
      quoted ? std::optional<std::string>(text.substr(1, text.size() - 2)) : from_hex(text::trim(text));
  if (!key) return bad("the key is neither hex nor text in double quotes");
  if (key->empty() || key->size() > kMaxPskKey) return bad("a key has 1 to 64 bytes");
  return std::make_pair(std::string(identity), *key);
}

}  // namespace

Result<PskKeys> parse_psk_keys(std::string_view text, const std::string& file) {
  PskKeys keys;
  std::size_t number = 0;
  for (const auto raw : text::split(text, '\n')) {
    ++number;
    const auto line = text::trim(raw);
    if (line.empty() || line.front() == '#') continue;
    auto entry = parse_line(line);
    const auto at = [&](std::string_view what) {
      return make_error(Errc::usage, fmt::format("{}:{}: {}", text::escape_controls(file), number, what));
    };
    if (!entry) return at(entry.error().message);
    if (!keys.emplace(std::move(*entry)).second) return at("this identity has a key already");
  }
  return keys;
}

Result<PskKeys> read_psk_keys(const std::string& file) {
  if (auto safe = check_secret_file(file); !safe) return std::move(safe).error();
  errno = 0;
  std::ifstream in(file, std::ios::binary);
  std::string text;
  for (char part[16384]; in && text.size() <= kMaxFile;) {
    in.read(part, sizeof part);
    text.append(part, static_cast<std::size_t>(in.gcount()));
  }
  if (!in.is_open() || in.bad()) {
    auto error = errno_error(fmt::format("cannot read {}", text::escape_controls(file)), errno);
    error.code = Errc::internal;
    return error;
  }
  if (text.size() > kMaxFile)
    return make_error(Errc::usage,
                      fmt::format("{} is longer than {} bytes", text::escape_controls(file), kMaxFile));
  return parse_psk_keys(text, file);
}

}  // namespace aiot::tls
