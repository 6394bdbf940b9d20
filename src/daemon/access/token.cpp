#include "daemon/access/token.h"

#include <fmt/format.h>
#include <openssl/crypto.h>
#include <openssl/sha.h>

#include <array>

#include "core/base/random.h"
#include "core/base/text.h"

namespace aiot::access {
namespace {

constexpr std::string_view kPrefix = "aiot_";

}  // namespace

std::string make_secret() {
  std::array<char, 32> bytes{};
  random_bytes(bytes.data(), bytes.size());
  std::string secret(kPrefix);
  secret += text::base64url({bytes.data(), bytes.size()});
  // Padding says nothing, and is in the way where a secret is part of a link or a subprotocol.
  secret.resize(secret.find_last_not_of('=') + 1);
  return secret;
}

std::string digest_bytes(std::string_view secret) {
  std::string sum(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(secret.data()), secret.size(),
         reinterpret_cast<unsigned char*>(sum.data()));
  return sum;
}

std::string digest(std::string_view secret) {
  std::string out;
  for (const char byte : digest_bytes(secret)) out += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return out;
}

std::string make_id() { return fmt::format("{:08x}", static_cast<std::uint32_t>(random_u64())); }

bool same_secret(std::string_view a, std::string_view b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

}  // namespace aiot::access
