#include "core/ws/client_error.h"

#include <fmt/format.h>

#include "core/ws/http_response.h"

namespace aiot::ws {
namespace {

std::string bracketed(const std::string& host) {
  if (host.find(':') == std::string::npos) return host;
  return "[" + host.substr(0, host.find('%')) + "]";
}

Errc close_errc(int code) {
  switch (code) {
    case 1002:  // protocol error
    case 1003:  // cannot accept
    case 1007:  // inconsistent data
    case 1008:  // policy
    case 1009:  // too big
    case 1010: return Errc::rejected;
    case 1011:  // unexpected condition
    case 1014: return Errc::peer_failed;
    default: return Errc::unreachable;
  }
}

std::string with_reason(int code, std::string_view reason) {
  return reason.empty() ? fmt::format("{}", code) : fmt::format("{}: {}", code, reason);
}

}  // namespace

std::string endpoint_text(const Endpoint& endpoint) {
  return fmt::format("{}://{}:{}{}", endpoint.tls ? "wss" : "ws", bracketed(endpoint.host), endpoint.port,
                     endpoint.path);
}

std::string host_header(const Endpoint& endpoint) {
  if (endpoint.port == (endpoint.tls ? 443 : 80)) return bracketed(endpoint.host);
  return fmt::format("{}:{}", bracketed(endpoint.host), endpoint.port);
}

Error status_error(std::string_view where, int status) {
  auto code = Errc::peer_failed;
  if (status == 401 || status == 403) {
    code = Errc::unauthorized;
  } else if (status >= 400 && status < 500) {
    code = Errc::rejected;
  }
  return make_error(code, fmt::format("{} answered {} {}", where, status, reason_phrase(status)), status);
}

Error close_error(std::string_view where, int code, std::string_view reason) {
  return make_error(close_errc(code),
                    fmt::format("{} closed the connection ({})", where, with_reason(code, reason)), code);
}

Error closed_here_error(std::string_view where, int code, std::string_view reason) {
  auto errc = close_errc(code);
  // 1007 and 1009 from here: what the peer sent was not to be understood.
  if (errc == Errc::rejected) errc = Errc::peer_failed;
  return make_error(
      errc, fmt::format("the connection to {} was closed here ({})", where, with_reason(code, reason)), code);
}

}  // namespace aiot::ws
