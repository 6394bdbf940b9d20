#include "core/schemes.h"

#include <fmt/core.h>

#include <string_view>

#include "core/coap/coap_client.h"
#include "core/mqtt/mqtt_client.h"
#include "core/mqttsn/mqttsn_client.h"
#include "core/relay/relay_client.h"

namespace aiot {

namespace {

using Make = std::unique_ptr<Client> (*)(EventLoop& loop, const ClientOptions& options);

std::unique_ptr<Client> make_coap(EventLoop& loop, const ClientOptions& options) {
  return coap::CoapClient::make(loop, {}, {options.tls, options.psk_identity, options.psk_key});
}

std::unique_ptr<Client> make_relay(EventLoop& loop, const ClientOptions& options) {
  return relay::make_relay_client(loop, options.token, options.prefix, options.tls);
}

std::unique_ptr<Client> make_mqttsn(EventLoop& loop, const ClientOptions& /*options*/) {
  return mqttsn::make_mqttsn_client(loop);
}

std::unique_ptr<Client> make_mqtt(EventLoop& loop, const ClientOptions& options) {
  return mqtt::make_mqtt_client(loop, options.mqtt);
}

struct Row {
  std::string_view scheme;
  Make make;
  std::string_view refused;  ///< verbs that the protocol does not have, between spaces
};

/// A new protocol is a row here and its room.
constexpr std::string_view kNotMqtt = " post FETCH PATCH iPATCH ";
constexpr std::string_view kNotRelay = " publish FETCH PATCH iPATCH ";
constexpr Row kRows[] = {
    {"coap", make_coap, {}},           {"coap+tcp", make_coap, {}},     {"coaps", make_coap, {}},
    {"coaps+tcp", make_coap, {}},      {"mqtt", make_mqtt, kNotMqtt},   {"mqtts", make_mqtt, kNotMqtt},
    {"mqttsn", make_mqttsn, kNotMqtt}, {"aiot", make_relay, kNotRelay}, {"aiots", make_relay, kNotRelay},
};

}  // namespace

Result<std::unique_ptr<Client>> make_client(EventLoop& loop, const std::string& scheme,
                                            const ClientOptions& options) {
  for (const Row& row : kRows) {
    if (row.scheme != scheme) continue;
    return row.make(loop, options);
  }
  return make_error(
      Errc::usage,
      fmt::format(
          "{}:// is not a scheme that can be asked; coap, coaps, coap+tcp, coaps+tcp, mqtt, mqtts, mqttsn, "
          "aiot and aiots are",
          scheme));
}

Result<void> check_verb(std::string_view verb, std::string_view scheme) {
  for (const Row& row : kRows) {
    if (row.scheme != scheme || row.refused.find(fmt::format(" {} ", verb)) == std::string_view::npos)
      continue;
    return make_error(Errc::usage, fmt::format("{} is not possible on {}://", verb, scheme));
  }
  return {};
}

}  // namespace aiot
