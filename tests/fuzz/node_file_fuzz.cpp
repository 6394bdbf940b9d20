#include "daemon/gateway/node_file.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto nodes = aiot::gateway::parse_node_file(input);
  if (!nodes) FUZZ_CHECK(!nodes.error().message.empty());
}
