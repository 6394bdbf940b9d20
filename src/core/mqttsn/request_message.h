#pragma once

#include "core/client.h"
#include "core/mqttsn/session.h"

/// Inside the room only: what a Request says in MQTT-SN's terms. The one place that reads it.
namespace aiot::mqttsn {

/// Errc::usage: a verb that messages have no word for, a topic that is none, a filter where a name must be.
[[nodiscard]] Result<> check_request(const Request& request, bool observes);
/// The message that a put (retained), a delete (retained, empty) or a publish is.
[[nodiscard]] Message message_of(const Request& request);
[[nodiscard]] int subscription_qos(const Request& request);
/// A message that came, or that was published.
[[nodiscard]] Response response_of(const Uri& uri, Message message, WallTime time);

}  // namespace aiot::mqttsn
