#include "core/coap/message.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto message = aiot::coap::parse_message(input);
  if (!message) return;
  const auto written = aiot::coap::format_message(*message);
  FUZZ_CHECK(written.size() <=
             input.size());  // an input may use longer forms than needed, never shorter ones
  const auto again = aiot::coap::parse_message(written);
  FUZZ_CHECK(again);
  FUZZ_CHECK(again->type == message->type && again->code == message->code);
  FUZZ_CHECK(again->message_id == message->message_id && again->token == message->token);
  FUZZ_CHECK(again->options == message->options && again->payload == message->payload);
  for (const auto& [number, value] : message->options) {
    static_cast<void>(message->uint_option(number));
    FUZZ_CHECK(!message->string_options(number).empty());
  }
}
