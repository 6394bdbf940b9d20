#include "cli/mqtt_options.h"

#include <fmt/format.h>

#include "cli/context.h"
#include "core/base/text.h"
#include "core/codec/topic.h"

namespace aiot::cli {

void MqttOptions::configure(CLI::App& app) {
  add_text(app, "--user", settings_.user, "MQTT: user name at the broker", "NAME").environment("AIOT_USER");
  add_text(app, "--password-file", settings_.password_file, "MQTT: file with that user's password", "FILE")
      .environment("AIOT_PASSWORD_FILE");
  add_text(app, "--client-id", settings_.client_id, "MQTT: client id instead of a made-up one", "ID");
  add_choice(app, "--mqtt-version", settings_.version,
             "MQTT: protocol version (default: 5, and 3.1.1 where the broker refuses that)", {"3.1.1", "5"});
}

void MqttOptions::apply(Context& context) const { context.use_mqtt(settings_); }

void MqttMessageOptions::configure(CLI::App& app) {
  add_texts(app, "--user-property", user_properties_, "MQTT 5: a user property of the message", "NAME=VALUE");
  add_text(app, "--content-type", content_type_, "MQTT 5: content type of the message, such as text/plain",
           "TYPE");
  add_duration(app, "--message-expiry", expiry_, "MQTT 5: the broker forgets the message after this");
  add_text(app, "--response-topic", response_topic_, "MQTT 5: topic for an answer", "TOPIC");
}

Result<void> MqttMessageOptions::apply(Request& request) const {
  const auto bad = [](const std::string& why) { return make_error(Errc::usage, why); };
  for (const std::string& text : user_properties_) {
    const auto equals = text.find('=');
    if (equals == std::string::npos || equals == 0)
      return bad(fmt::format("--user-property: '{}' is not NAME=VALUE", text::escape_controls(text)));
    if (!text::is_utf8(text)) return bad("--user-property: a property must be UTF-8");
    request.user_properties.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
  if (!text::is_utf8(content_type_)) return bad("--content-type: it must be UTF-8");
  request.content_type = content_type_;
  if (!response_topic_.empty() && !is_topic_name(response_topic_))
    return bad(fmt::format("--response-topic: '{}' is not a topic", text::escape_controls(response_topic_)));
  request.response_topic = response_topic_;
  if (expiry_) {
    const auto seconds = std::chrono::ceil<std::chrono::seconds>(*expiry_);
    if (seconds.count() < 1 || seconds.count() > 0xFFFFFFFFLL)
      return bad("--message-expiry must be at least a second, and at most 2^32");
    request.message_expiry = seconds;
  }
  return {};
}

}  // namespace aiot::cli
