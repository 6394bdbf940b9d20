#include "daemon/gateway/node_message.h"

#include "core/base/text.h"
#include "daemon/gateway/home_assistant.h"
#include "daemon/gateway/payload.h"
#include "daemon/gateway/topic_map.h"
#include "fuzz.h"

// What MQTT and WebSocket nodes send: values stay within their bounds and what counts as JSON is JSON. Input:
// a topic, or a pattern, to the first line end; then the payload.

using namespace aiot;
using namespace aiot::gateway;

namespace {

void check(const JsonValue& value) {
  if (!value.content_format) return;
  // As JSON it goes into other JSON as it is.
  FUZZ_CHECK(!value.bytes.empty() && text::is_utf8(value.bytes));
}

}  // namespace

void fuzz_one(std::string_view input) {
  const auto end = std::min(input.find('\n'), input.size());
  const auto topic = input.substr(0, end);
  const auto payload = input.substr(std::min(end + 1, input.size()));

  (void)parse_check(payload);
  if (auto value = parse_value(payload)) check(*value);
  (void)check_names(payload);
  if (auto message = parse_web_socket_message(payload)) {
    FUZZ_CHECK(message->values.size() <= kMaxNodeResources);
    for (const auto& [name, value] : message->values) check(value);
  }
  if (auto values = mapped_values(topic, payload)) {
    FUZZ_CHECK(values->size() <= kMaxNodeResources);
    for (const auto& [name, value] : *values) check(value);
  }
  if (auto map = TopicMap::parse(topic)) (void)map->match(payload);
  const std::string discovery = "ha/" + std::string(topic) + "/config";
  if (is_discovery_topic("ha", discovery)) {
    if (auto entities = parse_discovery("ha", discovery, payload))
      for (const auto& entity : *entities)
        if (auto value = state_value(entity, payload)) check(*value);
  }
}
