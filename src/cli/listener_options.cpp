#include "cli/listener_options.h"

#include <fmt/format.h>

#include <charconv>

#include "cli/files.h"
#include "core/base/text.h"
#include "core/base/uri.h"
#include "core/codec/topic.h"
#include "core/mqttsn/topic.h"
#include "daemon/gateway/gateway.h"
#include "daemon/gateway/topic_map.h"

namespace aiot::cli {

namespace {

constexpr Duration kLeastRetry = std::chrono::milliseconds(10);
constexpr std::uint16_t kCoapPort = 5683, kCoapsPort = 5684, kWsPort = 8001, kMqttSnPort = 1885;

std::optional<std::size_t> parse_number(std::string_view text) {
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

Result<Uri> parse_mqtt(const std::string& text) {
  auto uri = parse_uri(text);
  if (!uri) return uri;
  if ((uri->scheme != "mqtt" && uri->scheme != "mqtts") || uri->host.empty() || !uri->tail.empty())
    return make_error(Errc::usage, fmt::format("'{}' is not mqtt://HOST[:PORT] or mqtts://HOST[:PORT]",
                                               text::escape_controls(text)));
  return uri;
}

Result<void> check_mqtt(const std::string& text) {
  return text == "off" ? Result<void>() : parses<parse_mqtt>(text);
}

Result<void> check_discovery(const std::string& prefix) {
  if (prefix == "off" || is_topic_name(prefix)) return {};
  return make_error(Errc::usage, "it is a topic without wildcards, or off");
}

/// -1 for "unlimited".
Result<int> parse_retries(const std::string& text) {
  if (text == "unlimited") return -1;
  const auto number = parse_number(text);
  if (number && *number <= 1000) return static_cast<int>(*number);
  return make_error(Errc::usage, fmt::format("'{}' is neither a number up to 1000 nor unlimited",
                                             text::escape_controls(text)));
}

/// "7=sensors/door"
Result<std::pair<std::uint16_t, std::string>> parse_topic_id(const std::string& text) {
  const auto equals = text.find('=');
  const auto id = parse_number(text.substr(0, equals));
  const auto topic = equals == std::string::npos ? std::string() : text.substr(equals + 1);
  if (id && *id != 0 && *id < 0xFFFF && mqttsn::is_topic_name(topic))
    return std::pair(static_cast<std::uint16_t>(*id), topic);
  return make_error(
      Errc::usage,
      fmt::format("'{}' is not ID=TOPIC with an id from 1 to 65534 and a topic without wildcards",
                  text::escape_controls(text)));
}

}  // namespace

void ListenerOptions::add(CLI::App& app) {
  coap_option_ =
      add_address(app, "--coap", coap_, "CoAP listener, UDP and TCP (default [::]:5683; port 0 picks one)",
                  kCoapPort, true);
  add_address(app, "--coaps", coaps_,
              "CoAP listener on DTLS and TLS, for whoever has a key or a certificate (default off; usually "
              "[::]:5684)",
              kCoapsPort, true);
  add_text(app, "--coaps-psk-file", coaps_files_.psk,
           "keys of nodes, lines of IDENTITY:KEY, the key in hex or as text in quotes; SIGHUP reads it again",
           "FILE");
  add_text(app, "--coaps-cert", coaps_files_.cert,
           "certificate to show to nodes, with its chain, PEM; SIGHUP reads it again", "FILE");
  add_text(app, "--coaps-key", coaps_files_.key,
           "its private key, PEM (default: in the file of --coaps-cert)", "FILE");
  add_text(app, "--coaps-ca", coaps_files_.ca,
           "authorities that nodes' certificates are checked against, PEM", "FILE");
  ws_option_ = add_address(app, "--ws", ws_,
                           "WebSocket listener for nodes at /node (default [::]:8001; port 0 picks one)",
                           kWsPort, true);
  add_text(app, "--ws-tokens-file", ws_files_.tokens,
           "WebSocket nodes need a token each, lines of ID:TOKEN; SIGHUP reads it again", "FILE");
  add_text(app, "--ws-cert", ws_files_.cert,
           "WebSocket nodes connect by wss alone: certificate, with its chain, PEM; SIGHUP reads it again",
           "FILE");
  add_text(app, "--ws-key", ws_files_.key, "its private key, PEM (default: in the file of --ws-cert)",
           "FILE");
  mqttsn_option_ =
      add_address(app, "--mqttsn", mqttsn_, "MQTT-SN gateway on UDP (default [::]:1885; port 0 picks one)",
                  kMqttSnPort, true);
  add_number(app, "--mqttsn-id", mqttsn_id_, "GwId, which tells MQTT-SN gateways apart (default 1)", 1, 255);
  add_texts(app, "--mqttsn-topic", mqttsn_topics_,
            "a predefined topic id that clients have been given, as '7=sensors/door'", "ID=TOPIC")
      .check(parses<parse_topic_id>);
  add_duration(app, "--mqttsn-retry", mqttsn_retry_,
               "Tretry: what an MQTT-SN client does not acknowledge is sent again after this (default 10s)");
  add_text(app, "--mqttsn-retries", mqttsn_retries_,
           "Nretry: how often, until the client counts as lost (default 4)", "N|unlimited")
      .check(parses<parse_retries>);
  add_text(app, "--mqtt", mqtt_,
           "MQTT broker with nodes, to which MQTT-SN clients are passed on too (default off)",
           "mqtt[s]://HOST[:PORT]|off")
      .check(check_mqtt);
  add_texts(app, "--mqtt-map", mqtt_maps_,
            "topics of devices that know nothing of pyaiot, as 'sensors/{node}/{resource}'", "PATTERN")
      .check(parses<gateway::TopicMap::parse>);
  add_text(app, "--mqtt-discovery", mqtt_discovery_,
           "prefix of Home Assistant's discovery messages (default homeassistant)", "PREFIX|off")
      .check(check_discovery);
  add_text(app, "--mqtt-user", mqtt_user_, "user name at the MQTT broker", "NAME");
  add_text(app, "--mqtt-password-file", mqtt_password_file_, "file with its password", "FILE");
  add_text(app, "--mqtt-ca", mqtt_ca_, "mqtts: authorities that the broker's certificate is checked against",
           "FILE");
  add_text(app, "--mqtt-cert", mqtt_cert_, "mqtts: the gateway's own certificate", "FILE");
  add_text(app, "--mqtt-key", mqtt_key_, "mqtts: its key", "FILE");
}

Result<void> ListenerOptions::fill(gateway::Options& out) const {
  out.coap = listener(coap_option_, coap_, kCoapPort);
  out.ws = listener(ws_option_, ws_, kWsPort);
  out.mqttsn = listener(mqttsn_option_, mqttsn_, kMqttSnPort);
  if (auto good = fill_coaps(out); !good) return good;
  if (auto good = fill_ws(out); !good) return good;
  if (auto good = fill_mqttsn(out); !good) return good;
  return fill_mqtt(out);
}

Result<void> ListenerOptions::fill_coaps(gateway::Options& out) const {
  if (!coaps_ && !coaps_files_.empty())
    return make_error(Errc::usage, "the --coaps-... options need --coaps ADDRESS");
  out.coaps = coaps_;
  out.coaps_files = coaps_files_;
  return {};
}

Result<void> ListenerOptions::fill_ws(gateway::Options& out) const {
  if (!out.ws && !ws_files_.empty())
    return make_error(Errc::usage, "--ws-tokens-file, --ws-cert and --ws-key need --ws ADDRESS");
  if (ws_files_.cert.empty() && !ws_files_.key.empty())
    return make_error(Errc::usage, "--ws-key needs --ws-cert");
  out.ws_files = ws_files_;
  return {};
}

Result<void> ListenerOptions::fill_mqtt(gateway::Options& out) const {
  if (mqtt_.empty() || mqtt_ == "off") {
    const bool any = !mqtt_maps_.empty() || !mqtt_user_.empty() || !mqtt_ca_.empty() || !mqtt_cert_.empty();
    if (any) return make_error(Errc::usage, "the --mqtt-... options need --mqtt URL");
    return {};
  }
  auto uri = parse_mqtt(mqtt_);
  if (!uri) return uri.error();
  const bool tls = uri->scheme == "mqtts";
  if (!tls && (!mqtt_ca_.empty() || !mqtt_cert_.empty() || !mqtt_key_.empty()))
    return make_error(Errc::usage, "--mqtt-ca, --mqtt-cert and --mqtt-key are for mqtts://");
  gateway::MqttBroker broker;
  broker.host = uri->host;
  broker.port = uri->port;
  broker.tls = tls;
  broker.ca_file = mqtt_ca_;
  broker.cert_file = mqtt_cert_;
  broker.key_file = mqtt_key_;
  broker.user = mqtt_user_;
  if (!mqtt_password_file_.empty()) {
    auto password = read_secret(mqtt_password_file_);
    if (!password) return password.error();
    broker.password = std::move(*password);
  }
  broker.maps = mqtt_maps_;
  if (!mqtt_discovery_.empty()) broker.discovery_prefix = mqtt_discovery_ == "off" ? "" : mqtt_discovery_;
  out.mqtt = std::move(broker);
  return {};
}

Result<void> ListenerOptions::fill_mqttsn(gateway::Options& out) const {
  out.mqttsn_id = static_cast<std::uint8_t>(mqttsn_id_);
  if (mqttsn_retry_) {
    if (*mqttsn_retry_ < kLeastRetry)
      return make_error(Errc::usage, "--mqttsn-retry: at least 10ms, or the gateway would flood its clients");
    out.mqttsn_retry = *mqttsn_retry_;
  }
  if (!mqttsn_retries_.empty()) out.mqttsn_retries = *parse_retries(mqttsn_retries_);
  for (const std::string& text : mqttsn_topics_) out.mqttsn_topics.push_back(*parse_topic_id(text));
  return {};
}

std::optional<SocketAddress> ListenerOptions::listener(const OptionHandle& option,
                                                       const std::optional<SocketAddress>& given,
                                                       std::uint16_t port) const {
  if (option.given()) return given;
  if (coap_ || coaps_ || ws_ || mqttsn_) return std::nullopt;
  return *SocketAddress::parse("[::]", port);
}

}  // namespace aiot::cli
