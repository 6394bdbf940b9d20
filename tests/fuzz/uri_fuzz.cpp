#include "core/base/uri.h"

#include "core/base/address.h"
#include "core/base/text.h"
#include "fuzz.h"

void fuzz_one(std::string_view input) {
  static_cast<void>(aiot::SocketAddress::parse(input, 5683));
  const auto uri = aiot::parse_uri(input);
  if (!uri) {
    FUZZ_CHECK(!uri.error().message.empty());
    return;
  }
  FUZZ_CHECK(aiot::default_port(uri->scheme) != 0);
  FUZZ_CHECK(uri->text == input);
  // The canonical authority is a URI itself, and of the same server.
  const auto again = aiot::parse_uri(uri->authority());
  FUZZ_CHECK(again || uri->host.empty());
  if (again) FUZZ_CHECK(again->authority() == uri->authority());
  for (const auto& segment : uri->path) {
    const auto decoded = aiot::percent_decode(aiot::percent_encode(segment));
    FUZZ_CHECK(decoded && *decoded == segment);
  }
}
