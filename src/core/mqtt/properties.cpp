#include "core/mqtt/properties.h"

#include <mosquitto.h>
#include <mqtt_protocol.h>

#include <cstdlib>

#include "core/base/text.h"

namespace aiot::mqtt {

namespace {

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Text = std::unique_ptr<char, Free>;

/// libmosquitto would send anything; the server then ends the connection.
bool is_text(const std::string& text) {
  return text.size() <= 65'535 && text.find('\0') == std::string::npos && text::is_utf8(text);
}

}  // namespace

Properties::~Properties() { mosquitto_property_free_all(&list_); }

void Properties::add(int identifier, std::uint16_t value) {
  check(mosquitto_property_add_int16(&list_, identifier, value));
}

void Properties::add(int identifier, std::uint32_t value) {
  check(mosquitto_property_add_int32(&list_, identifier, value));
}

void Properties::add_variable(int identifier, std::uint32_t value) {
  check(mosquitto_property_add_varint(&list_, identifier, value));
}

void Properties::add(int identifier, const std::string& text) {
  check(is_text(text) ? mosquitto_property_add_string(&list_, identifier, text.c_str())
                      : MOSQ_ERR_MALFORMED_UTF8);
}

void Properties::add(const Message& message) {
  if (!message.content_type.empty()) add(MQTT_PROP_CONTENT_TYPE, message.content_type);
  if (!message.response_topic.empty()) add(MQTT_PROP_RESPONSE_TOPIC, message.response_topic);
  if (message.expiry)
    add(MQTT_PROP_MESSAGE_EXPIRY_INTERVAL, static_cast<std::uint32_t>(message.expiry->count()));
  if (!message.correlation_data.empty()) {
    check(message.correlation_data.size() <= 65'535
              ? mosquitto_property_add_binary(&list_, MQTT_PROP_CORRELATION_DATA,
                                              message.correlation_data.data(),
                                              static_cast<std::uint16_t>(message.correlation_data.size()))
              : MOSQ_ERR_INVAL);
  }
  for (const auto& [name, value] : message.user_properties) {
    check(is_text(name) && is_text(value) ? mosquitto_property_add_string_pair(
                                                &list_, MQTT_PROP_USER_PROPERTY, name.c_str(), value.c_str())
                                          : MOSQ_ERR_MALFORMED_UTF8);
  }
}

std::optional<std::uint16_t> read_u16(const mqtt5__property* list, int identifier) {
  std::uint16_t value = 0;
  if (mosquitto_property_read_int16(list, identifier, &value, false) == nullptr) return std::nullopt;
  return value;
}

std::optional<std::uint32_t> read_u32(const mqtt5__property* list, int identifier) {
  std::uint32_t value = 0;
  if (mosquitto_property_read_int32(list, identifier, &value, false) == nullptr) return std::nullopt;
  return value;
}

std::string read_text(const mqtt5__property* list, int identifier) {
  char* text = nullptr;
  mosquitto_property_read_string(list, identifier, &text, false);
  const Text owned(text);
  return owned ? std::string(owned.get()) : std::string();
}

void read_properties(const mqtt5__property* list, Message& message) {
  if (list == nullptr) return;
  message.content_type = read_text(list, MQTT_PROP_CONTENT_TYPE);
  message.response_topic = read_text(list, MQTT_PROP_RESPONSE_TOPIC);
  if (const auto expiry = read_u32(list, MQTT_PROP_MESSAGE_EXPIRY_INTERVAL))
    message.expiry = std::chrono::seconds(*expiry);
  void* data = nullptr;
  std::uint16_t size = 0;
  mosquitto_property_read_binary(list, MQTT_PROP_CORRELATION_DATA, &data, &size, false);
  const std::unique_ptr<void, Free> owned(data);
  if (data != nullptr) message.correlation_data.assign(static_cast<const char*>(data), size);
  bool skip = false;
  std::uint32_t subscription = 0;
  for (const mqtt5__property* at = list;; skip = true) {
    at = mosquitto_property_read_varint(at, MQTT_PROP_SUBSCRIPTION_IDENTIFIER, &subscription, skip);
    if (at == nullptr) break;
    message.subscriptions.push_back(subscription);
  }
  skip = false;
  for (const mqtt5__property* at = list;;) {
    char* name = nullptr;
    char* value = nullptr;
    at = mosquitto_property_read_string_pair(at, MQTT_PROP_USER_PROPERTY, &name, &value, skip);
    const Text name_owned(name), value_owned(value);
    if (at == nullptr) break;
    message.user_properties.emplace_back(name != nullptr ? name : "", value != nullptr ? value : "");
    skip = true;
  }
}

}  // namespace aiot::mqtt
