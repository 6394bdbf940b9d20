#include "core/base/result.h"

#include <cerrno>
#include <system_error>

namespace aiot {

std::string_view to_string(Errc code) {
  switch (code) {
    case Errc::usage: return "usage";
    case Errc::unreachable: return "unreachable";
    case Errc::timeout: return "timeout";
    case Errc::rejected: return "rejected";
    case Errc::peer_failed: return "peer_failed";
    case Errc::unauthorized: return "unauthorized";
    case Errc::partial: return "partial";
    case Errc::internal:
    case Errc::abandoned: break;
  }
  return "internal";
}

std::string_view to_string(Outcome outcome) {
  switch (outcome) {
    case Outcome::not_sent: return "not_sent";
    case Outcome::rejected: return "rejected";
    case Outcome::unknown: return "unknown";
    case Outcome::none: break;
  }
  return "";
}

Error errno_error(std::string_view what, int errno_value) {
  Errc code = Errc::internal;
  switch (errno_value) {
    case ECONNREFUSED:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ECONNRESET:
    case EPIPE:
    case EADDRINUSE:
    case EADDRNOTAVAIL:
    case ENETDOWN:
    case EHOSTDOWN: code = Errc::unreachable; break;
    case ETIMEDOUT: code = Errc::timeout; break;
    default: break;
  }
  std::string message(what);
  message += ": ";
  message += std::generic_category().message(errno_value);
  return make_error(code, std::move(message), errno_value);
}

}  // namespace aiot
