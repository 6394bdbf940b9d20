#include "daemon/gateway/mqttsn_upstream.h"

#include <fmt/core.h>

#include <algorithm>
#include <functional>

#include "core/base/random.h"
#include "core/base/text.h"
#include "daemon/gateway/mqtt_source.h"
#include "daemon/gateway/node_file.h"
#include "daemon/gateway/node_message.h"

namespace aiot::gateway {

namespace {

/// Retained messages follow their SUBACK within this.
constexpr Duration kRetainedTime = std::chrono::seconds(10);
constexpr std::uint32_t kMaxIdentifier = 268'435'455;

/// The same at each start: the broker's session, and what it kept meanwhile, outlive the gateway.
std::uint32_t identifier_of(std::string_view filter) {
  std::uint64_t hash = 0xcbf29ce484222325;  // FNV-1a
  for (const char c : filter) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return static_cast<std::uint32_t>(hash % kMaxIdentifier) + 1;
}

mqttsn::Message to_sn(const mqtt::Message& message, bool retain) {
  return {message.topic, message.payload, message.qos, retain};
}

}  // namespace

MqttSnUpstream::MqttSnUpstream(EventLoop& loop, mqtt::SessionOptions options, std::string name,
                               MqttSnRoutesCallbacks callbacks)
    : loop_(loop), name_(std::move(name)), callbacks_(std::move(callbacks)) {
  mqtt::Session::Callbacks session;
  session.received = [this](const mqtt::Message& message, Completion<> stored) {
    received(message);  // what is for clients that are away is on disk by then
    stored(Result<>());
  };
  session_ = mqtt::Session::make(loop, std::move(options), std::move(session));
}

void MqttSnUpstream::publish(mqttsn::Message message, Completion<> done) {
  mqtt::Message out;
  out.topic = std::move(message.topic);
  out.payload = std::move(message.payload);
  out.qos = message.qos;
  out.retain = message.retain;
  if (is_node_topic(out.topic)) out.user_properties.emplace_back(kViaProperty, name_);
  session_->publish(std::move(out), std::move(done));
}

void MqttSnUpstream::send_subscribe(const std::string& name, Filter& filter) {
  mqtt::SubscribeOptions options;
  options.qos = 2;  // each client's own counts where it is delivered
  options.identifier = filter.identifier;
  session_->subscribe(name, options, [this, name](const Result<>& result) {
    if (!result && complaints_.allow())
      log::warn("MQTT-SN: SUBSCRIBE {}: {}", text::escape_controls(name), result.error().message);
    const auto at = filters_.find(name);
    if (at == filters_.end()) return;
    for (auto& waiting : at->second.waiting)
      waiting.until = std::min(waiting.until, loop_.now() + kRetainedTime);
  });
}

void MqttSnUpstream::subscribe(const std::string& filter) {
  const auto at = filters_.try_emplace(filter).first;
  at->second.identifier = identifier_of(filter);
  at->second.order = ++last_order_;
  tree_.add(filter, &at->first, 0);
  send_subscribe(filter, at->second);
}

void MqttSnUpstream::unsubscribe(const std::string& filter) {
  const auto at = filters_.find(filter);
  if (at == filters_.end()) return;
  tree_.remove(filter, &at->first);
  filters_.erase(at);
  session_->unsubscribe(filter);
}

void MqttSnUpstream::wants_retained(const std::string& client_id, const std::string& filter, int qos) {
  const auto at = filters_.find(filter);
  if (at == filters_.end()) return;
  std::erase_if(at->second.waiting, [&](const Waiting& waiting) {
    return waiting.client_id == client_id || waiting.until <= loop_.now();
  });
  at->second.waiting.push_back({client_id, qos, TimePoint::max(), {}});
  send_subscribe(filter, at->second);
}

void MqttSnUpstream::received(const mqtt::Message& message) {
  // Of a message that several filters match, the server sends a copy for each (or one for all): retained ones
  // answer that filter's SUBSCRIBE, others are taken by the oldest filter that matches: of what the server
  // had queued before a newer one came, that has a copy too.
  const Filter* first = nullptr;
  const auto is_for = [&](const Filter& filter) {
    return message.subscriptions.empty() ||
           std::find(message.subscriptions.begin(), message.subscriptions.end(), filter.identifier) !=
               message.subscriptions.end();
  };
  tree_.match(message.topic, [&](const std::string& name, int) {
    auto& filter = filters_.at(name);
    if (message.retain && is_for(filter)) retained(message, filter);
    if (first == nullptr || filter.order < first->order) first = &filter;
  });
  if (message.retain || first == nullptr || !is_for(*first)) return;
  callbacks_.deliver(to_sn(message, false));
}

void MqttSnUpstream::retained(const mqtt::Message& message, Filter& filter) {
  for (auto& waiting : filter.waiting) {
    if (waiting.until <= loop_.now()) continue;
    // Others' SUBSCRIBEs bring it again.
    if (!waiting.had.insert(std::hash<std::string>()(message.topic)).second) continue;
    auto out = to_sn(message, true);
    out.qos = std::min(out.qos, waiting.qos);
    callbacks_.deliver_to(waiting.client_id, std::move(out));
  }
}

std::string kept_client_id(const std::string& state_dir) {
  if (state_dir.empty()) return {};
  const std::string path = state_dir + "/mqtt-client-id";
  if (auto text = read_file(path); text && !text->empty()) return std::string(text::trim(*text));
  auto id = fmt::format("aiot-{:016x}", random_u64());
  if (auto written = replace_file(path, id + "\n"); !written) {
    log::warn("{}", written.error().message);
    return {};
  }
  return id;
}

}  // namespace aiot::gateway
