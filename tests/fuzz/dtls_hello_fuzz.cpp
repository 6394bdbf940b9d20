#include "core/coap/dtls_hello.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto hello = aiot::coap::parse_hello(input);
  if (!hello) return;
  FUZZ_CHECK(aiot::coap::is_hello(input));
  const auto begin = reinterpret_cast<std::uintptr_t>(input.data());
  for (const auto part : {hello->cookie, hello->record_sequence, hello->message_sequence}) {
    const auto at = reinterpret_cast<std::uintptr_t>(part.data());
    FUZZ_CHECK(at >= begin && at + part.size() <= begin + input.size());
  }
  // Nobody is answered with more than it brought.
  FUZZ_CHECK(aiot::coap::hello_verify_request(*hello, std::string(32, 'c')).size() <= input.size());
}
