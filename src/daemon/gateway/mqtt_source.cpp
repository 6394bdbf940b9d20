#include "daemon/gateway/mqtt_source.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/codec/topic.h"
#include "daemon/gateway/node_message.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {

constexpr std::size_t kMaxConfigs = 20'000;
constexpr std::size_t kMaxForeign = 200'000;
/// What its broker repeats to a gateway that is back comes first of all.
constexpr Duration kRepeats = std::chrono::seconds(10);

std::uint64_t hash_of(const mqtt::Message& message) {
  return std::hash<std::string>()(message.topic) * 31 + std::hash<std::string>()(message.payload);
}

}  // namespace

MqttSource::MqttSource(EventLoop& loop, Policy& policy, Sink& sink, MqttOptions options)
    : loop_(loop),
      policy_(policy),
      sink_(sink),
      options_(std::move(options)),
      broker_(fmt::format("{}:{}", options_.session.host, options_.session.port)),
      check_timer_(loop.make_timer([this] { check(); })) {
  mqtt::Session::Callbacks callbacks;
  callbacks.connected = [this](bool present) {
    if (!present) options_.taken.clear();  // its numbers begin anew
    if (!first_connected_) first_connected_ = loop_.now();
    log::info("MQTT broker {}: connected", broker_);
    lost_ = false;
    check();
  };
  callbacks.disconnected = [this](const Error& why) {
    if (!std::exchange(lost_, true)) log::warn("MQTT broker {}: {}; trying again", broker_, why.message);
    check_timer_->stop();
  };
  callbacks.received = [this](const mqtt::Message& message, Completion<> stored) {
    Origin origin;
    if (message.qos > 0) {
      origin.session = kMqttSession;
      origin.message_id = message.id;
      origin.hash = hash_of(message);
      if (was_taken(origin.message_id, origin.hash)) return stored(Result<>());
    }
    sink_.begin(message.qos > 0 ? &origin : nullptr);
    received(message);
    if (sink_.stored()) {
      stored(Result<>());
    } else {
      sink_.when_stored(std::move(stored));
    }
  };
  session_ = mqtt::Session::make(loop, options_.session, std::move(callbacks));
}

Result<void> MqttSource::start() {
  if (auto started = session_->start(); !started) return started;
  subscribe(std::string(kNodeFilter));
  for (const auto& map : options_.maps) subscribe(map.filter());
  if (!options_.discovery_prefix.empty()) {
    subscribe(options_.discovery_prefix + "/+/+/config");
    subscribe(options_.discovery_prefix + "/+/+/+/config");
  }
  return {};
}

void MqttSource::subscribe(const std::string& filter) {
  session_->subscribe(filter, {}, [this, filter](const Result<>& result) {
    if (!result && result.error().code != Errc::abandoned)
      log::warn("MQTT broker {}: SUBSCRIBE {}: {}", broker_, filter, result.error().message);
  });
}

void MqttSource::complain(const mqtt::Message& message, const Error& error) {
  if (complaints_.allow())
    log::warn("MQTT broker {}, topic '{}': {}", broker_, text::escape_controls(message.topic.substr(0, 200)),
              error.message);
}

bool MqttSource::was_taken(std::uint16_t id, std::uint64_t hash) {
  auto& taken = options_.taken;
  if (taken.empty()) return false;
  if (first_connected_ && loop_.now() - *first_connected_ > kRepeats) taken.clear();
  return std::erase_if(taken, [&](const TakenMessage& each) {
           return each.message_id == id && each.hash == hash;
         }) != 0;
}

void MqttSource::received(const mqtt::Message& message) {
  const auto via = std::find_if(message.user_properties.begin(), message.user_properties.end(),
                                [](const auto& property) { return property.first == kViaProperty; });
  if (is_node_topic(message.topic)) {
    if (via != message.user_properties.end()) return;
    // A broker of MQTT 3.1.1 does not pass on what tells it from the nodes' own.
    const bool may_be_echo = session_->version() != mqtt::Version::v5;
    const auto taken = take_node_message(policy_, {Protocol::mqtt, {}, message.retain, {}, may_be_echo},
                                         message.topic, message.payload, now());
    if (!taken) complain(message, taken.error());
    return;
  }
  Result<void> taken;
  if (is_discovery_topic(options_.discovery_prefix, message.topic)) taken = described(message);
  if (const auto at = states_.find(message.topic); at != states_.end()) state(message, at->second);
  for (const auto& map : options_.maps) {
    const auto place = map.match(message.topic);
    if (!place) continue;
    taken = mapped(message, *place);
    break;
  }
  if (!taken) complain(message, taken.error());
}

Result<void> MqttSource::mapped(const mqtt::Message& message, const TopicMap::Place& place) {
  auto values = mapped_values(place.resource, message.payload);
  if (!values) {
    policy_.drop(Drop::bad_message);
    return values.error();
  }
  if (foreign_.size() < kMaxForeign) foreign_.try_emplace(std::string(place.node));
  const NodeSource from{Protocol::mqtt, place.node, message.retain, {}};
  Result<void> first;
  for (const auto& [resource, value] : *values) {
    auto taken = policy_.messages().value(from, resource, value.bytes, value.content_format, now());
    if (!taken && first) first = std::move(taken);
  }
  return first;
}

Result<void> MqttSource::described(const mqtt::Message& message) {
  auto entities = parse_discovery(options_.discovery_prefix, message.topic, message.payload);
  if (!entities) {
    policy_.drop(Drop::bad_message);
    return entities.error();
  }
  auto at = configs_.find(message.topic);
  if (at != configs_.end()) {
    if (at->second == *entities) return {};
    withdraw(at->second);
    configs_.erase(at);
  }
  if (entities->empty()) return {};
  if (configs_.size() >= kMaxConfigs) {
    policy_.drop(Drop::table_full);
    return make_error(Errc::rejected, "this gateway has all the discovery messages it can hold");
  }
  for (const auto& entity : *entities) {
    auto& commands = foreign_[entity.node];
    if (!entity.command_topic.empty()) commands[entity.resource] = entity.command_topic;
    auto taken = policy_.messages().alive({Protocol::mqtt, entity.node, message.retain, {}}, now());
    if (!taken) return taken;
    if (entity.state_topic.empty()) continue;
    auto& of_topic = states_[entity.state_topic];
    of_topic.push_back(entity);
    if (of_topic.size() == 1) subscribe(entity.state_topic);
  }
  configs_.emplace(message.topic, std::move(*entities));
  return {};
}

void MqttSource::withdraw(const std::vector<DiscoveredEntity>& entities) {
  for (const auto& entity : entities) {
    if (const auto node = foreign_.find(entity.node); node != foreign_.end())
      node->second.erase(entity.resource);
    const auto at = states_.find(entity.state_topic);
    if (at == states_.end()) continue;
    std::erase(at->second, entity);
    if (!at->second.empty()) continue;
    states_.erase(at);
    session_->unsubscribe(entity.state_topic);
  }
}

void MqttSource::state(const mqtt::Message& message, const std::vector<DiscoveredEntity>& entities) {
  for (const auto& entity : entities) {
    const auto value = state_value(entity, message.payload);
    if (!value) continue;
    const auto taken = policy_.messages().value({Protocol::mqtt, entity.node, message.retain, {}},
                                                entity.resource, value->bytes, value->content_format, now());
    if (!taken) complain(message, taken.error());
  }
}

Result<void> MqttSource::tell(const Node& node, const NodeMessage& message) {
  if (!session_->connected())
    return make_error(Errc::unreachable, fmt::format("the MQTT broker {} is not connected", broker_));
  auto [topic, payload] = topic_message(node.id, message);
  if (const auto foreign = foreign_.find(node.id); foreign != foreign_.end()) {
    if (message.kind != NodeMessage::Kind::write) {
      if (message.ticket == 0) return {};
      return make_error(Errc::rejected, "the node cannot be asked for its values: it only reports them");
    }
    const auto command = foreign->second.find(std::string(message.resource));
    if (command == foreign->second.end())
      return make_error(Errc::rejected, fmt::format("the node takes no writes to '{}'", message.resource));
    topic = command->second;
  }
  mqtt::Message out;
  out.topic = std::move(topic);
  out.payload = std::move(payload);
  out.qos = 1;
  if (message.deadline > Duration(0))
    out.expiry =
        std::max(std::chrono::seconds(1), std::chrono::duration_cast<std::chrono::seconds>(message.deadline));
  if (!is_topic_name(out.topic))
    return make_error(Errc::usage, fmt::format("'{}' cannot be part of a topic", message.resource));
  session_->publish(std::move(out), [this, ticket = message.ticket](const Result<>& result) {
    if (!result && ticket != 0) policy_.messages().tell_failed(ticket, result.error());
  });
  return {};
}

void MqttSource::check() {
  mqtt::Message message;
  message.topic = kGatewayCheck;
  message.qos = 1;
  session_->publish(std::move(message), [](const Result<>&) {});
  check_timer_->start(kGatewayCheckEvery);
}

void MqttSource::stop(Duration deadline, Completion<> done) {
  check_timer_->stop();
  session_->stop(deadline, std::move(done));
}

}  // namespace aiot::gateway
