#include "core/tls/psk_keys.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto keys = aiot::tls::parse_psk_keys(input, "keys");
  if (!keys) return;
  for (const auto& [identity, key] : *keys) {
    FUZZ_CHECK(!identity.empty() && identity.size() <= aiot::tls::kMaxPskIdentity);
    FUZZ_CHECK(!key.empty() && key.size() <= aiot::tls::kMaxPskKey);
  }
}
