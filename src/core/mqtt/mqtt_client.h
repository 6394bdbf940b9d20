#pragma once

#include <memory>
#include <string>

#include "core/client.h"
#include "core/mqtt/session.h"

namespace aiot::mqtt {

/// What the connections of a client have in common.
struct ClientOptions {
  std::string user, password;
  std::string client_id;  ///< empty: made up; else there is one session a broker, which allows no more
  Version version = Version::automatic;
  TlsOptions tls;  ///< mqtts
};

/// mqtt and mqtts: get is the first message, retained or next; put publishes retained at QoS 1, delete clears
/// what is retained, post publishes; observe subscribes; discover listens for a few seconds. One session a
/// broker, and more only for filters that overlap: which of two a message is for is not said.
std::unique_ptr<Client> make_mqtt_client(EventLoop& loop, ClientOptions options);

}  // namespace aiot::mqtt
