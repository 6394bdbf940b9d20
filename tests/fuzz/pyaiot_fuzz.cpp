#include "daemon/broker/pyaiot.h"

#include <nlohmann/json.hpp>

#include "fuzz.h"

namespace pyaiot = aiot::broker::pyaiot;

void fuzz_one(std::string_view input) {
  const auto message = pyaiot::parse(input);
  if (!message) {
    FUZZ_CHECK(message.error().message.size() <= 123);  // a close reason's bound, RFC 6455 section 5.5
    return;
  }
  // Whatever came in, what goes out is JSON.
  std::string out;
  pyaiot::append_update(out, message->uid, message->value, "all");
  FUZZ_CHECK(nlohmann::json::accept(out));
  FUZZ_CHECK(nlohmann::json::accept(pyaiot::client_write(message->uid, message->value.name, input, "c")));
}
