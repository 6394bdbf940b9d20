#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/client.h"
#include "core/mqtt/mqtt_client.h"
#include "core/tls/client_files.h"

namespace aiot {

/// What a client of any scheme may need beside the request.
struct ClientOptions {
  std::string token;                  ///< bearer token for a broker; empty for none
  std::string prefix;                 ///< the broker's own path before /api and /ws; empty for none
  tls::ClientFiles tls;               ///< aiots, and coaps without a key
  std::string psk_identity, psk_key;  ///< coaps
  mqtt::ClientOptions mqtt;
};

/// Makes the client for `scheme`; the one table that knows every protocol. A library is initialised
/// only when a client of its scheme is made. Errc::usage for a scheme that has none.
Result<std::unique_ptr<Client>> make_client(EventLoop& loop, const std::string& scheme,
                                            const ClientOptions& options);

/// Errc::usage, naming both, when the protocol of `scheme` has no such verb, in whatever version of aiot
/// (aiot-uri(7)). `verb` is a command's name, or the CoAP method that stands for it ("FETCH").
Result<void> check_verb(std::string_view verb, std::string_view scheme);

}  // namespace aiot
