#include "core/ws/bearer.h"

#include "core/base/text.h"
#include "core/ws/http_head.h"

namespace aiot::ws {

std::string_view bearer_of(const Headers& headers) {
  constexpr std::string_view kBearer = "bearer ";
  const auto field = find_header(headers, "authorization");
  if (text::lower(field.substr(0, kBearer.size())) != kBearer) return {};
  return text::trim(field.substr(kBearer.size()));
}

}  // namespace aiot::ws
