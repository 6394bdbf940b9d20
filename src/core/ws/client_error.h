#pragma once

#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/ws/ws_client.h"

/// What clients say when a server refuses or a connection ends.
namespace aiot::ws {

/// "ws://host:8000/prefix"
[[nodiscard]] std::string endpoint_text(const Endpoint& endpoint);
/// The Host header: the port only where it is not the scheme's, IPv6 in brackets without zone.
[[nodiscard]] std::string host_header(const Endpoint& endpoint);
/// For an answer that is no success: 401 and 403 unauthorized, other 4xx rejected, the rest peer_failed.
[[nodiscard]] Error status_error(std::string_view where, int status);
/// For a close frame of the peer.
[[nodiscard]] Error close_error(std::string_view where, int code, std::string_view reason);
/// For a close of our own.
[[nodiscard]] Error closed_here_error(std::string_view where, int code, std::string_view reason);

}  // namespace aiot::ws
