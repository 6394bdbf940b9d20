#include "core/coap/transfer.h"

#include "fuzz.h"

// A peer that answers a block-wise transfer with whatever it likes: the transfer ends or goes on, within its
// bounds, and never sends a block beyond its payload. Input: one byte of setting, then answers, each after a
// byte with its length.
void fuzz_one(std::string_view input) {
  using aiot::coap::Transfer;
  if (input.empty()) return;
  const auto setting = static_cast<unsigned char>(input[0]);
  input.remove_prefix(1);
  Transfer::Limits limits;
  limits.max_payload = 4096;
  limits.reliable = (setting & 1) != 0;
  const std::string payload(setting >> 3 << 7, 'p');
  const std::uint8_t codes[] = {1, 2, 3, 5};
  Transfer transfer(codes[setting >> 1 & 3], {}, payload, limits);
  while (!input.empty()) {
    const auto next = transfer.next();
    FUZZ_CHECK(next.payload.size() <= payload.size());
    if (const auto raw = next.uint_option(aiot::coap::option::kBlock1)) {
      const auto block = aiot::coap::Block::decode(static_cast<std::uint32_t>(*raw));
      FUZZ_CHECK(block.offset() + next.payload.size() <= payload.size());
      FUZZ_CHECK(block.more == (block.offset() + next.payload.size() < payload.size()));
    }
    const auto size = static_cast<unsigned char>(input[0]);
    input.remove_prefix(1);
    auto answer = aiot::coap::parse_message(input.substr(0, size));
    input.remove_prefix(std::min<std::size_t>(size, input.size()));
    if (!answer) continue;
    const auto step = transfer.take(std::move(*answer));
    if (step == Transfer::Step::done) FUZZ_CHECK(transfer.answer().payload.size() <= limits.max_payload);
    if (step == Transfer::Step::failed) FUZZ_CHECK(!transfer.error().message.empty());
    if (step != Transfer::Step::send) return;
  }
}
