#pragma once

#include "core/base/address.h"
#include "daemon/wire/key_file.h"

namespace aiot::broker {

/// The keys at `path`. A missing file is made (0600) for a broker that listens on loopback, and told on
/// stderr; elsewhere it is Errc::usage.
[[nodiscard]] Result<wire::Keys> open_keys(const std::string& path, const SocketAddress& listen);

}  // namespace aiot::broker
