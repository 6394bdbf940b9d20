#include "core/mqttsn/request_message.h"

#include <fmt/format.h>

#include "core/base/text.h"
#include "core/mqttsn/topic.h"

namespace aiot::mqttsn {

Result<> check_request(const Request& request, bool observes) {
  const auto& topic = request.uri.tail;
  switch (request.method) {
    case Method::get:
    case Method::put:
    case Method::post:  // publish
    case Method::del: break;
    default:
      return make_error(Errc::usage,
                        fmt::format("{} is not possible on mqttsn://", to_string(request.method)));
  }
  if (topic.empty()) return make_error(Errc::usage, fmt::format("{} names no topic", request.uri.text));
  if (request.method == Method::get || observes) {
    if (is_topic_filter(topic)) return {};
    return make_error(Errc::usage, fmt::format("'{}' is not a topic filter", text::escape_controls(topic)));
  }
  if (is_topic_name(topic)) return {};
  return make_error(
      Errc::usage, fmt::format("'{}' is not a topic that can be published to", text::escape_controls(topic)));
}

// QoS and retain are read from the Request here and nowhere else.
Message message_of(const Request& request) {
  const bool keeps = request.method == Method::put || request.method == Method::del;
  return {request.uri.tail, request.method == Method::del ? std::string() : request.payload,
          request.qos.value_or(keeps ? 1 : 0), keeps || request.retain};
}

int subscription_qos(const Request& request) { return request.qos.value_or(1); }

Response response_of(const Uri& uri, Message message, WallTime time) {
  Response response;
  response.uri = message.topic == uri.tail ? uri.text : uri.authority() + "/" + message.topic;
  response.resource = std::move(message.topic);
  response.payload = std::move(message.payload);
  response.protocol = "MQTT-SN";
  response.time = time;
  response.qos = message.qos;
  response.retained = message.retain;
  return response;
}

}  // namespace aiot::mqttsn
