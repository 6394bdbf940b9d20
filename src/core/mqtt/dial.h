#pragma once

#include <string>

#include "core/loop/event_loop.h"

namespace aiot::mqtt {

/// A connected TCP socket to the first of `host`'s addresses that accepts: non-blocking, TCP_NODELAY, owned
/// by who gets it. Addresses are tried in turn, each with its share of what is left of `timeout`.
/// Errc::unreachable or Errc::timeout, naming the last address.
Operation dial(EventLoop& loop, const std::string& host, std::uint16_t port, Duration timeout,
               Completion<int> done);

}  // namespace aiot::mqtt
