#pragma once

#include <span>
#include <string_view>

#include "core/ws/http_server.h"
#include "daemon/broker/dashboard.h"

namespace aiot::broker {

/// What every page of the dashboard may do: use this server, and nothing else (Site adds what an operator
/// allows).
inline constexpr std::string_view kContentSecurityPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "font-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'";

/// Answers a GET for one of `assets`, "/" being "/index.html": compressed if the client takes gzip, 304 if it
/// has it already. Without any assets "/" is a page that says so. 404 otherwise.
[[nodiscard]] ws::HttpResponse serve_file(const ws::HttpRequest& request, std::span<const Asset> assets,
                                          std::string_view policy = kContentSecurityPolicy);
/// 405 for a path that can only be read.
[[nodiscard]] ws::HttpResponse only_get();

}  // namespace aiot::broker
