#include "daemon/gateway/link_filter.h"

#include <algorithm>

#include "core/codec/link_format.h"

namespace aiot::gateway {

bool matches(std::string_view value, std::string_view pattern) {
  if (pattern.ends_with('*')) return value.starts_with(pattern.substr(0, pattern.size() - 1));
  return value == pattern;
}

bool attribute_matches(const Link& link, std::string_view name, std::string_view pattern) {
  if (const auto whole = link.value(name); whole && matches(*whole, pattern)) return true;
  const auto words = link.values(name);
  return std::any_of(words.begin(), words.end(), [&](const auto& word) { return matches(word, pattern); });
}

}  // namespace aiot::gateway
