#include "core/tls/psk_keys.h"

#include <optional>

#include "core/base/entries.h"
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
  auto read = each_entry(text, file, [&](std::string_view line) -> Result<void> {
    auto entry = parse_line(line);
    if (!entry) return entry.error();
    if (!keys.emplace(std::move(*entry)).second)
      return make_error(Errc::usage, "this identity has a key already");
    return {};
  });
  if (!read) return std::move(read).error();
  return keys;
}

Result<PskKeys> read_psk_keys(const std::string& file) {
  auto text = read_secret_file(file, "file of nodes' keys", kMaxFile);
  if (!text) return std::move(text).error();
  return parse_psk_keys(*text, file);
}

}  // namespace aiot::tls
