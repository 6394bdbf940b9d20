#include "core/codec/topic.h"

#include <optional>

#include "core/base/text.h"

namespace aiot {

namespace {

constexpr std::string_view kShare = "$share/";

bool is_topic_text(std::string_view text, std::size_t max) {
  return !text.empty() && text.size() <= max && text.find('\0') == std::string_view::npos &&
         text::is_utf8(text);
}

/// Cuts the first level off `rest`; nothing is left of the last.
std::optional<std::string_view> next_level(std::optional<std::string_view>& rest) {
  if (!rest) return std::nullopt;
  const auto slash = rest->find('/');
  const auto out = rest->substr(0, slash);
  rest = slash == std::string_view::npos ? std::nullopt : std::optional(rest->substr(slash + 1));
  return out;
}

}  // namespace

bool has_wildcard(std::string_view filter) { return filter.find_first_of("+#") != std::string_view::npos; }

std::string_view unshared(std::string_view filter) {
  if (!filter.starts_with(kShare)) return filter;
  const auto slash = filter.find('/', kShare.size());
  return slash == std::string_view::npos ? std::string_view() : filter.substr(slash + 1);
}

bool topic_matches(std::string_view filter, std::string_view name) {
  if (name.starts_with('$') && has_wildcard(filter.substr(0, 1))) return false;
  return filters_overlap(filter, name);
}

bool filters_overlap(std::string_view a, std::string_view b) {
  std::optional<std::string_view> rest_a = unshared(a), rest_b = unshared(b);
  for (;;) {
    const auto level_a = next_level(rest_a), level_b = next_level(rest_b);
    if (level_a == "#" || level_b == "#" || (!level_a && !level_b)) return true;
    if (!level_a || !level_b) return false;
    if (level_a != "+" && level_b != "+" && level_a != level_b) return false;
  }
}

bool is_topic_name(std::string_view name, std::size_t max) {
  return is_topic_text(name, max) && !has_wildcard(name);
}

bool is_topic_filter(std::string_view filter, std::size_t max) {
  if (!is_topic_text(filter, max)) return false;
  const auto bare = unshared(filter);
  if (bare.empty()) return false;
  if (bare.size() != filter.size()) {
    const auto group = filter.substr(kShare.size(), filter.size() - bare.size() - kShare.size() - 1);
    if (group.empty() || has_wildcard(group)) return false;
  }
  for (std::size_t at = 0; at < bare.size(); ++at) {
    if (bare[at] != '+' && bare[at] != '#') continue;
    const bool starts = at == 0 || bare[at - 1] == '/';
    const bool ends = at + 1 == bare.size() || (bare[at] == '+' && bare[at + 1] == '/');
    if (!starts || !ends) return false;
  }
  return true;
}

}  // namespace aiot
