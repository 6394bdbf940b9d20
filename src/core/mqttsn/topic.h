#pragma once

#include <cstddef>
#include <string_view>

#include "core/codec/topic.h"

namespace aiot::mqttsn {

inline constexpr std::size_t kMaxTopic = 1024;  ///< bytes of a name or filter

[[nodiscard]] inline bool is_topic_name(std::string_view name) {
  return aiot::is_topic_name(name, kMaxTopic);
}
[[nodiscard]] inline bool is_topic_filter(std::string_view filter) {
  return aiot::is_topic_filter(filter, kMaxTopic);
}

}  // namespace aiot::mqttsn
