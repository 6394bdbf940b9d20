#pragma once

#include <optional>
#include <string>

#include "core/base/address.h"
#include "core/model/principal.h"

namespace aiot::broker {

/// Who may use a broker.
struct AccessOptions {
  std::string file;               ///< users and tokens (access/access_file.h); empty: there are none
  std::optional<Role> anonymous;  ///< what those may that do not say who they are; absent: see Access
  bool insecure = false;          ///< listen beyond loopback although everyone may do everything
  bool proxied = false;           ///< a proxy passes on what others ask of a broker on loopback
  bool shared_token = true;       ///< admit pyaiot's gateways, which all have the same token
  bool setup_link = false;        ///< without users: tell a link that makes the first
  std::optional<SocketAddress> legacy_listen;  ///< serves pyaiot's /gw and /ws alone, without TLS
};

}  // namespace aiot::broker
