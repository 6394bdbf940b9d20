#pragma once

#include <nlohmann/json_fwd.hpp>
#include <string>

namespace aiot::cli {

/// `GET /api/v1/status` for people: a line a hop, then whether it balances, or what does not. Pure.
[[nodiscard]] std::string status_table(const nlohmann::ordered_json& status, bool colours);

}  // namespace aiot::cli
