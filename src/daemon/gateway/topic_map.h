#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "daemon/gateway/node_message.h"

namespace aiot::gateway {

/// A pattern such as `sensors/{node}/{resource}`: which node and resource a topic of a device stands for that
/// knows nothing of pyaiot. Pure.
class TopicMap {
 public:
  /// Levels are text, `+`, or text around `{node}` (once) and `{resource}` (at most once). Errc::usage says
  /// what is wrong.
  static Result<TopicMap> parse(std::string_view pattern);
  /// What to subscribe.
  [[nodiscard]] const std::string& filter() const { return filter_; }

  struct Place {
    std::string_view node;
    std::string_view resource;  ///< empty when the pattern has none
  };
  [[nodiscard]] std::optional<Place> match(std::string_view topic) const;

 private:
  enum class Kind : std::uint8_t { text, any, node, resource };
  struct Level {
    Kind kind = Kind::text;
    std::string before, after;  ///< around the name; the whole text in `before`
  };
  static Result<Level> parse_level(std::string_view text);

  std::vector<Level> levels_;
  std::string filter_;
};

/// The values in a device's payload: plain text, a JSON value, or a JSON object, each of whose members is a
/// resource, named MEMBER or, where the topic names a resource, RESOURCE/MEMBER (`{"value":V}` alone is V).
/// Without any name a single value is `value`. Errc::rejected for what is neither JSON nor UTF-8 text.
[[nodiscard]] Result<std::vector<std::pair<std::string, JsonValue>>> mapped_values(std::string_view resource,
                                                                                   std::string_view payload);

}  // namespace aiot::gateway
