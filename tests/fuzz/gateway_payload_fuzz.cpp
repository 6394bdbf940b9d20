#include <algorithm>

#include "core/base/text.h"
#include "daemon/gateway/payload.h"
#include "fuzz.h"

namespace gateway = aiot::gateway;

void fuzz_one(std::string_view input) {
  const auto alive = gateway::parse_alive(input);
  const auto continues = [](char byte) { return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80; };
  const auto characters = alive.uid.size() - std::count_if(alive.uid.begin(), alive.uid.end(), continues);
  FUZZ_CHECK(characters <= 64 && alive.uid.size() <= 128);
  FUZZ_CHECK(aiot::text::escape_controls(alive.uid) == alive.uid);
  if (const auto post = gateway::parse_post(input)) {
    FUZZ_CHECK(post->resource.size() + post->value.size() < input.size());
    FUZZ_CHECK(post->resource.find(':') == std::string_view::npos);
  }
  const auto registration = gateway::parse_registration(aiot::text::split(input, '&'));
  if (registration) FUZZ_CHECK(registration->endpoint.size() <= 128);
  if (const auto links = aiot::parse_link_format(input)) {
    std::size_t skipped = 0;
    FUZZ_CHECK(gateway::own_resources(*links, skipped).size() <= gateway::kMaxNodeResources);
  }
}
