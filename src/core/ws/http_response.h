#pragma once

#include <string>

#include "core/base/time.h"
#include "core/ws/http_server.h"

namespace aiot::ws {

/// "OK" for 200, "" for a status without a name here.
[[nodiscard]] std::string_view reason_phrase(int status);

/// The head of an answer (RFC 9112 section 4) with Date, Content-Length (not before a stream) and Connection.
/// Header fields that would break out of their line are left out.
[[nodiscard]] std::string response_head(const HttpResponse& response, std::size_t body_size, bool keep_alive,
                                        WallTime now);

/// True when an answer of that status has no body (RFC 9110 section 6.4.1).
[[nodiscard]] bool is_bodiless(int status);

}  // namespace aiot::ws
