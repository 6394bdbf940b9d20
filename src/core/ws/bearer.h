#pragma once

#include <string_view>

#include "core/ws/http_server.h"

namespace aiot::ws {

/// The token of `Authorization: Bearer TOKEN` (RFC 6750 section 2.1), a view into `headers`; empty without.
[[nodiscard]] std::string_view bearer_of(const Headers& headers);

}  // namespace aiot::ws
