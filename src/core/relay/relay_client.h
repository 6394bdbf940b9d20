#pragma once

#include <memory>

#include "core/client.h"
#include "core/ws/ws_client.h"

namespace aiot::relay {

/// The Client for aiot:// and aiots://: reads and writes by the broker's REST, follows on
/// aiot.client.v1, or on pyaiot's wire where a broker does not speak that.
/// `prefix` is the brokers' own path before /api and /ws, "/iot" or empty; `files` are for aiots.
/// `aiot://HOST[:PORT]/UID/RESOURCE`, where `*` stands for one segment or a part of one.
std::unique_ptr<Client> make_relay_client(EventLoop& loop, std::string token, std::string prefix = {},
                                          tls::ClientFiles files = {});

}  // namespace aiot::relay
