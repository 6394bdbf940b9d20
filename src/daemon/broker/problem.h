#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/ws/http_server.h"

namespace aiot::broker {

/// An RFC 9457 problem: `type` ends in the error code; `outcome` and the node's `code` stand where they
/// apply.
[[nodiscard]] ws::HttpResponse problem(int status, const Error& error);
[[nodiscard]] ws::HttpResponse problem(int status, Errc code, std::string detail);
/// A request to a node that failed, with the status its error and outcome stand for: 400 usage, 404 unknown,
/// 409 not live, 502 rejected, 503 full, 504 unknown.
[[nodiscard]] ws::HttpResponse node_problem(const Error& error);

/// 401, with how to do better.
[[nodiscard]] ws::HttpResponse unauthorized(std::string detail);

/// Text that nobody may keep.
[[nodiscard]] ws::HttpResponse plain(int status, std::string_view body);
/// A JSON answer that nobody may keep.
[[nodiscard]] ws::HttpResponse json_response(std::string body, int status = 200);

}  // namespace aiot::broker
