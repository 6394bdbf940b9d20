#include "core/mqttsn/packet.h"

#include "fuzz.h"

namespace mqttsn = aiot::mqttsn;

void fuzz_one(std::string_view input) {
  if (mqttsn::is_forwarded(input)) {
    if (const auto forwarded = mqttsn::parse_forwarded(input))
      FUZZ_CHECK(mqttsn::format_forwarded(forwarded->radius, forwarded->node, forwarded->packet).size() ==
                 input.size());
  }
  const auto packet = mqttsn::parse_packet(input);
  if (!packet) return;
  // Lengths may be written in more bytes than they need; what is written from here on stays what it is.
  const auto again = mqttsn::parse_packet(mqttsn::format_packet(*packet));
  FUZZ_CHECK(again && *again == *packet);
}
