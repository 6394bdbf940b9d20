#include "daemon/wire/fernet.h"

#include "core/base/text.h"
#include "daemon/wire/key_file.h"
#include "fuzz.h"

namespace wire = aiot::wire;

void fuzz_one(std::string_view input) {
  static const std::string key = aiot::text::base64url(std::string(32, 'k'));
  // Nobody guesses a token; what this asks is that no shape of input does harm.
  FUZZ_CHECK(!wire::fernet_decrypt(key, input) || input.size() > 96);
  static_cast<void>(wire::fernet_decrypt(input, "gAAAAA"));
  const auto token = wire::fernet_encrypt(key, input.substr(0, 512), aiot::WallTime());
  FUZZ_CHECK(token);
  const auto plain = wire::fernet_decrypt(key, *token);
  FUZZ_CHECK(plain && *plain == input.substr(0, 512));
  // One changed character is always noticed.
  auto bent = *token;
  auto& c = bent[input.empty() ? 0 : static_cast<unsigned char>(input[0]) % (bent.size() - 4)];
  c = c == 'A' ? 'B' : 'A';
  FUZZ_CHECK(!wire::fernet_decrypt(key, bent));
  static_cast<void>(wire::check_token(wire::Keys{"secret", key, {}, {}}, input));
}
