#include "daemon/gateway/identity.h"

#include <openssl/evp.h>

#include <array>
#include <cstdint>

#include "core/base/text.h"
#include "core/model/update.h"

namespace aiot::gateway {

namespace {

/// The code point that starts at `at` of well-formed UTF-8; moves `at` behind it.
char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(at);
  if (lead < 0x80) return byte(at++);
  const int more = lead >= 0xF0 ? 3 : lead >= 0xE0 ? 2 : 1;
  char32_t value = lead & (0x3F >> more);
  ++at;
  for (int i = 0; i < more; ++i) value = (value << 6) | (byte(at++) & 0x3F);
  return value;
}

bool is_control(char32_t c) { return c < 0x20 || (c >= 0x7F && c < 0xA0); }

/// Line separators, zero-width and bidirectional formatting, byte order mark, noncharacters: what would
/// make two uids look alike or garble a line.
bool is_invisible(char32_t c) {
  return (c >= 0x200B && c <= 0x200F) || (c >= 0x2028 && c <= 0x202E) || (c >= 0x2060 && c <= 0x206F) ||
         c == 0xFEFF || c == 0xAD || (c & 0xFFFE) == 0xFFFE;
}

bool printable_ascii(std::string_view text) {
  for (const char c : text)
    if (c < 0x20 || c == 0x7F) return false;  // bytes above 0x7F are negative, so fail too
  return true;
}

/// Counts the characters of printable text; nothing (-1) for any other.
int printable_characters(std::string_view text) {
  if (printable_ascii(text)) return static_cast<int>(text.size());
  if (!text::is_utf8(text)) return -1;
  int count = 0;
  for (std::size_t at = 0; at < text.size(); ++count) {
    const char32_t c = next_code_point(text, at);
    if (is_control(c) || is_invisible(c)) return -1;
  }
  return count;
}

}  // namespace

bool is_uid(std::string_view uid) {
  if (uid.empty() || uid.size() > kMaxUid) return false;
  const int characters = printable_characters(uid);
  return characters > 0 && characters <= static_cast<int>(kMaxUidCharacters);
}

bool is_node_id(std::string_view id) {
  return is_uid(id) && id.find_first_of("/+#") == std::string_view::npos;
}

bool is_resource_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxResource && printable_characters(name) > 0;
}

bool is_plain_text(std::string_view text) {
  if (printable_ascii(text)) return true;
  if (!text::is_utf8(text)) return false;
  for (std::size_t at = 0; at < text.size();) {
    const char32_t c = next_code_point(text, at);
    if (is_control(c) && c != '\t' && c != '\n' && c != '\r') return false;
  }
  return true;
}

std::string make_uid(std::string_view site, std::string_view protocol, std::string_view id) {
  // aiot's own namespace: a random UUID, fixed for ever because nodes' names depend on it.
  static constexpr std::array<unsigned char, 16> kNamespace = {
      0x6d, 0x1f, 0x5b, 0x0e, 0x93, 0xc4, 0x4b, 0x27, 0x8a, 0x55, 0x1c, 0xe0, 0x7f, 0x42, 0x9d, 0x36};
  std::string name(kNamespace.begin(), kNamespace.end());
  name.append(site).push_back('\0');
  name.append(protocol).push_back('\0');
  name.append(id);
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned int size = 0;
  EVP_Digest(name.data(), name.size(), digest.data(), &size, EVP_sha1(), nullptr);
  digest[6] = static_cast<unsigned char>((digest[6] & 0x0F) | 0x50);
  digest[8] = static_cast<unsigned char>((digest[8] & 0x3F) | 0x80);
  static constexpr char kHex[] = "0123456789abcdef";
  std::string out;
  out.reserve(36);
  for (std::size_t i = 0; i < 16; ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) out.push_back('-');
    out.push_back(kHex[digest[i] >> 4]);
    out.push_back(kHex[digest[i] & 0xF]);
  }
  return out;
}

}  // namespace aiot::gateway
