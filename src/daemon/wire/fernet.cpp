#include "daemon/wire/fernet.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>

#include "core/base/random.h"
#include "core/base/text.h"

namespace aiot::wire {
namespace {

// Version (1), time in seconds (8), IV (16), whole cipher blocks (16 each, at least one), HMAC (32).
constexpr char kVersion = '\x80';
constexpr std::size_t kHeader = 1 + 8 + 16;
constexpr std::size_t kBlock = 16;
constexpr std::size_t kMac = 32;
constexpr std::size_t kKey = 32;
constexpr std::size_t kMaxToken = 8 * 1024;

struct FreeCipher {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using CipherContext = std::unique_ptr<EVP_CIPHER_CTX, FreeCipher>;

const unsigned char* bytes_of(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

/// The first half of the key signs, the second encrypts.
std::string_view signing_half(std::string_view key) { return key.substr(0, kKey / 2); }
std::string_view encryption_half(std::string_view key) { return key.substr(kKey / 2); }

std::string padded_base64url(std::string_view bytes) {
  std::string text = text::base64url(bytes);
  while (text.size() % 4 != 0) text += '=';
  return text;
}

Result<std::string> decode_key(std::string_view key) {
  auto bytes = text::decode_base64(key);
  if (!bytes || bytes->size() != kKey) {
    return make_error(Errc::usage, "a Fernet key is 32 bytes in URL-safe base 64 (44 characters)");
  }
  return std::move(*bytes);
}

std::string mac_of(std::string_view key, std::string_view signed_part) {
  std::string mac(kMac, '\0');
  unsigned int length = 0;
  HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes_of(signed_part), signed_part.size(),
       reinterpret_cast<unsigned char*>(mac.data()), &length);
  return mac;
}

std::optional<std::string> run_cipher(bool encrypt, std::string_view key, std::string_view iv,
                                      std::string_view input) {
  const CipherContext context(EVP_CIPHER_CTX_new());
  std::string output(input.size() + kBlock, '\0');
  auto* out = reinterpret_cast<unsigned char*>(output.data());
  int written = 0;
  int finished = 0;
  if (!context ||
      EVP_CipherInit_ex(context.get(), EVP_aes_128_cbc(), nullptr, bytes_of(key), bytes_of(iv),
                        encrypt ? 1 : 0) != 1 ||
      EVP_CipherUpdate(context.get(), out, &written, bytes_of(input), static_cast<int>(input.size())) != 1 ||
      EVP_CipherFinal_ex(context.get(), out + written, &finished) != 1) {
    return std::nullopt;
  }
  output.resize(static_cast<std::size_t>(written) + static_cast<std::size_t>(finished));
  return output;
}

}  // namespace

Result<std::string> fernet_encrypt(std::string_view key, std::string_view plain, WallTime now) {
  auto raw_key = decode_key(key);
  if (!raw_key) return raw_key.error();
  if (plain.size() > kMaxToken / 2) return make_error(Errc::usage, "too long for a Fernet token");

  std::string token(kHeader, '\0');
  token[0] = kVersion;
  auto seconds = static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::seconds>(now.time_since_epoch()).count());
  for (std::size_t i = 8; i > 0; --i, seconds >>= 8) token[i] = static_cast<char>(seconds & 0xFF);
  random_bytes(token.data() + 9, 16);

  auto cipher = run_cipher(true, encryption_half(*raw_key), std::string_view(token).substr(9, 16), plain);
  if (!cipher) return make_error(Errc::internal, "AES-128-CBC is not available from OpenSSL");
  token += *cipher;
  token += mac_of(signing_half(*raw_key), token);
  return padded_base64url(token);
}

Result<std::string> fernet_decrypt(std::string_view key, std::string_view token) {
  auto raw_key = decode_key(key);
  if (!raw_key) return raw_key.error();
  const auto refused = [](const char* why) { return make_error(Errc::unauthorized, why); };
  if (token.size() > kMaxToken) return refused("the token is too long");
  const auto bytes = text::decode_base64(token);
  if (!bytes) return refused("the token is not base 64");
  if (bytes->size() < kHeader + kBlock + kMac || (bytes->size() - kHeader - kMac) % kBlock != 0 ||
      bytes->front() != kVersion) {
    return refused("the token is not a Fernet token");
  }
  const std::string_view all = *bytes;
  const std::string_view signed_part = all.substr(0, all.size() - kMac);
  const std::string mac = mac_of(signing_half(*raw_key), signed_part);
  if (CRYPTO_memcmp(mac.data(), all.data() + signed_part.size(), kMac) != 0) {
    return refused("the token was not made with this key");
  }
  auto plain = run_cipher(false, encryption_half(*raw_key), all.substr(9, 16), signed_part.substr(kHeader));
  if (!plain) return refused("the token does not decrypt");
  return std::move(*plain);
}

WallTime fernet_time(std::string_view token) {
  const auto bytes = text::decode_base64(token);
  std::uint64_t seconds = 0;
  for (std::size_t i = 1; bytes && i <= 8 && i < bytes->size(); ++i) {
    seconds = seconds << 8 | static_cast<unsigned char>((*bytes)[i]);
  }
  constexpr std::uint64_t kLatest = 253'402'300'799;  // the year 9999: more would not fit
  return WallTime(std::chrono::seconds(static_cast<std::int64_t>(std::min(seconds, kLatest))));
}

std::string fernet_make_key() {
  std::string key(kKey, '\0');
  random_bytes(key.data(), key.size());
  return padded_base64url(key);
}

}  // namespace aiot::wire
