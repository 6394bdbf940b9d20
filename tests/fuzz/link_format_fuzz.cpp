#include "core/codec/link_format.h"

#include "fuzz.h"

void fuzz_one(std::string_view input) {
  const auto links = aiot::parse_link_format(input);
  if (!links) return;
  FUZZ_CHECK(links->size() <= aiot::kMaxLinks);
  const auto again = aiot::parse_link_format(aiot::format_link_format(*links));
  FUZZ_CHECK(again && again->size() == links->size());
  for (std::size_t i = 0; i < links->size(); ++i) {
    FUZZ_CHECK((*again)[i].target == (*links)[i].target);
    FUZZ_CHECK((*again)[i].attributes == (*links)[i].attributes);
    static_cast<void>((*links)[i].values("rt"));
  }
}
