#include "daemon/access/password.h"

#include <argon2.h>
#include <fmt/format.h>

#include <array>

#include "core/base/random.h"

namespace aiot::access {
namespace {

// OWASP's choice for argon2id: 19 MiB, two passes, one lane.
constexpr std::uint32_t kPasses = 2, kMemoryKiB = 19 * 1024, kLanes = 1;
constexpr std::size_t kSalt = 16, kHash = 32, kEncoded = 128;

}  // namespace

Result<std::string> hash_password(std::string_view password) {
  if (password.size() < kMinPassword || password.size() > kMaxPassword) {
    return make_error(Errc::usage, fmt::format("a password has {} to {} bytes", kMinPassword, kMaxPassword));
  }
  std::array<unsigned char, kSalt> salt{};
  random_bytes(salt.data(), salt.size());
  std::string encoded(kEncoded, '\0');
  const int code = argon2id_hash_encoded(kPasses, kMemoryKiB, kLanes, password.data(), password.size(),
                                         salt.data(), salt.size(), kHash, encoded.data(), encoded.size());
  if (code != ARGON2_OK) {
    return make_error(Errc::internal, fmt::format("argon2id: {}", argon2_error_message(code)));
  }
  encoded.resize(encoded.find('\0'));
  return encoded;
}

bool check_password(const std::string& kept, std::string_view password) {
  if (password.size() > kMaxPassword) return false;
  if (!kept.empty()) return argon2id_verify(kept.c_str(), password.data(), password.size()) == ARGON2_OK;
  std::array<unsigned char, kHash> nothing{};
  argon2id_hash_raw(kPasses, kMemoryKiB, kLanes, password.data(), password.size(), "0123456789abcdef", kSalt,
                    nothing.data(), nothing.size());
  return false;
}

}  // namespace aiot::access
