#pragma once

#include "core/base/networks.h"
#include "core/ws/http_server.h"

namespace aiot::ws {

/// What proxies that are trusted say of the client: `peer` becomes the first address, seen from here, that is
/// not a trusted proxy, `secure` whether the client speaks TLS with its proxy, and Host the name that the
/// client asked for. Forwarded (RFC 7239) counts where there is none of the X-Forwarded-* fields. Nothing
/// changes when `peer` is not trusted: anybody could send such fields. Pure.
void apply_forwarded(const Networks& trusted, Headers& headers, SocketAddress& peer, bool& secure);

}  // namespace aiot::ws
