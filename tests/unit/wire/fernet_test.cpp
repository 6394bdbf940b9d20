#include "daemon/wire/fernet.h"

#include <catch2/catch.hpp>

using namespace aiot;
using namespace aiot::wire;

namespace {

// From the test vectors of the public Fernet specification (generate.json, invalid.json).
const std::string kSpecKey = "cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e4=";
const std::string kSpecToken =
    "gAAAAAAdwJ6wAAECAwQFBgcICQoLDA0ODy021cpGVWKZ_eEwCGM4BLLF_5CV9dOPmrhuVUPgJobwOz7JcbmrR64jVmpU4IwqDA==";

// Made with node:crypto (aes-128-cbc, sha256 HMAC), not with this code: 32 characters of secret, as
// pyaiot's are, in a token of 140.
const std::string kNodeKey = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
const std::string kNodeToken =
    "gAAAAABlU_EAAAECAwQFBgcICQoLDA0OD6uxq38Xd6oLXhj3J8SyqA4TNtTsH1mZDtUZ9yIOOG6yUujc7llbvS_"
    "GAV27MHhWgSKr5P6550zg7c_9B6ecnv8cO5178ALAesuVqI-AjWRo";

}  // namespace

TEST_CASE("the specification's token decrypts to its text") {
  const auto plain = fernet_decrypt(kSpecKey, kSpecToken);
  REQUIRE(plain);
  CHECK(*plain == "hello");
}

TEST_CASE("a token made by an independent implementation decrypts") {
  CHECK(kNodeToken.size() == 140);
  const auto plain = fernet_decrypt(kNodeKey, kNodeToken);
  REQUIRE(plain);
  CHECK(*plain == "abcdefghijklmnopqrstuvwxyz012345");
}

TEST_CASE("what is encrypted decrypts, and tokens differ by their IV") {
  const std::string key = fernet_make_key();
  CHECK(key.size() == 44);
  for (const std::string& plain :
       {std::string(), std::string("x"), std::string(16, 'a'), std::string(1000, '\0')}) {
    const auto token = fernet_encrypt(key, plain, WallTime{});
    REQUIRE(token);
    CHECK(token->size() % 4 == 0);
    const auto back = fernet_decrypt(key, *token);
    REQUIRE(back);
    CHECK(*back == plain);
    CHECK(*fernet_encrypt(key, plain, WallTime{}) != *token);
  }
}

TEST_CASE("the time stands in the token's first bytes") {
  const auto token = fernet_encrypt(kSpecKey, "hello", WallTime(std::chrono::seconds(499162800)));
  REQUIRE(token);
  CHECK(token->substr(0, 11) == kSpecToken.substr(0, 11));
}

TEST_CASE("malformed and forged tokens are unauthorized") {
  const std::string bad[] = {
      "",
      "x",
      "not base 64!",
      kSpecToken.substr(0, 40),
      kSpecToken.substr(0, kSpecToken.size() - 4),
      // incorrect mac
      "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPAl1-szkFVzXTuGb4hR8AKtwcaX1YdykQUFBQUFBQUFBQQ==",
      // too short
      "gAAAAAAdwJ6xAAECAwQFBgcICQoLDA0OD3HkMATM5lFqGaerZ-fWPA==",
      std::string(20000, 'A'),
      kNodeToken,
  };
  for (const auto& token : bad) {
    const auto plain = fernet_decrypt(kSpecKey, token);
    REQUIRE_FALSE(plain);
    CHECK(plain.error().code == Errc::unauthorized);
  }
  std::string flipped = kSpecToken;
  for (std::size_t i = 0; i + 2 < flipped.size(); ++i) {
    flipped = kSpecToken;
    flipped[i] = flipped[i] == 'A' ? 'B' : 'A';
    CHECK_FALSE(fernet_decrypt(kSpecKey, flipped));
  }
}

TEST_CASE("a key that is not 32 bytes of base 64 is a usage error") {
  CHECK(fernet_encrypt("short", "x", WallTime{}).error().code == Errc::usage);
  CHECK(fernet_decrypt("cw_0x689RpI-jtRR7oE8h_eQsKImvJapLeSbXpwF4e!=", kSpecToken).error().code ==
        Errc::usage);
}
