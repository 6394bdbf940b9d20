#include "daemon/wire/gateway_v1.h"
#include "fuzz.h"

namespace wire = aiot::wire;

void fuzz_one(std::string_view input) {
  const auto message = wire::parse_message(input);
  if (!message) {
    FUZZ_CHECK(!message.error().message.empty());
    return;
  }
  const auto written = wire::format_message(*message);
  const auto again = wire::parse_message(written);
  FUZZ_CHECK(again && again->index() == message->index());
  FUZZ_CHECK(wire::format_message(*again) == written);
}
