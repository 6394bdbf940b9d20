#pragma once

#include <memory>

#include "core/client.h"

namespace aiot::mqttsn {

/// The Client for mqttsn://HOST[:PORT]/TOPIC (MQTT-SN 1.2 over UDP): get waits for the first message,
/// retained or next; put publishes retained, delete clears what is retained, post is publish; observe follows
/// a filter with its wildcards and reconnects; discover searches for gateways.
///
/// Errors: Errc::usage for a topic that is none, unreachable (name not found), timeout (no gateway or no
/// message), rejected with the return code in `native`. A failed write carries its outcome.
std::unique_ptr<Client> make_mqttsn_client(EventLoop& loop);

}  // namespace aiot::mqttsn
