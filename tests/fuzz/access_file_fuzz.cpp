#include "daemon/access/access_file.h"

#include "fuzz.h"

// A users file: what is read is written so that it reads the same.

void fuzz_one(std::string_view input) {
  using namespace aiot;
  const auto contents = access::parse_contents(input);
  if (!contents) {
    FUZZ_CHECK(!contents.error().message.empty());
    return;
  }
  const auto text = access::format_contents(*contents);
  const auto again = access::parse_contents(text);
  FUZZ_CHECK(again && access::format_contents(*again) == text);
}
