#pragma once

#include <string_view>

namespace aiot {

/// pyaiot's wire tells who a node is (its address or id, its protocol) in updates like those of resources.
[[nodiscard]] constexpr bool is_identity(std::string_view name) {
  return name == "ip" || name == "id" || name == "protocol";
}

}  // namespace aiot
