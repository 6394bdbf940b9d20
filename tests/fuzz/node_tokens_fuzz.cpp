#include "daemon/gateway/node_tokens.h"

#include <string>

#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto tokens = aiot::gateway::NodeTokens::parse(input, "tokens");
  if (!tokens) {
    FUZZ_CHECK(tokens.error().message.starts_with("tokens:"));
    return;
  }
  FUZZ_CHECK(tokens->owner("") == nullptr);
}
