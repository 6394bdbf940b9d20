#include "core/mqttsn/topic.h"

#include "core/base/text.h"

namespace aiot::mqttsn {

namespace {

bool is_topic_text(std::string_view text) {
  return !text.empty() && text.size() <= kMaxTopic && text.find('\0') == std::string_view::npos &&
         text::is_utf8(text);
}

}  // namespace

bool has_wildcard(std::string_view filter) { return filter.find_first_of("+#") != std::string_view::npos; }

bool is_topic_name(std::string_view name) { return is_topic_text(name) && !has_wildcard(name); }

bool is_topic_filter(std::string_view filter) {
  if (!is_topic_text(filter)) return false;
  for (std::size_t at = 0; at < filter.size(); ++at) {
    if (filter[at] != '+' && filter[at] != '#') continue;
    const bool starts = at == 0 || filter[at - 1] == '/';
    const bool ends = at + 1 == filter.size() || (filter[at] == '+' && filter[at + 1] == '/');
    if (!starts || !ends) return false;
  }
  return true;
}

}  // namespace aiot::mqttsn
