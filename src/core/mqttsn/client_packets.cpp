// What the MQTT-SN client does with the gateway's packets.
#include <fmt/format.h>

#include <algorithm>

#include "core/mqttsn/client_core.h"
#include "core/mqttsn/topic.h"

namespace aiot::mqttsn {

namespace {

constexpr std::size_t kMaxNames = 16'384;      ///< topics that the gateway may register here
constexpr int kMaxUnknown = 4;                 ///< times that the gateway does not know the id it gave
constexpr std::size_t kMaxUnreleased = 1'024;  ///< a gateway sends one at a time; more are of one that forgot

Error refusal(std::string_view what, const Packet& packet) {
  return make_error(Errc::rejected,
                    fmt::format("the gateway refused {}: {}", what, to_string(packet.return_code)),
                    static_cast<int>(packet.return_code));
}

}  // namespace

void ClientCore::received(std::string_view datagram, TimePoint now) {
  auto packet = parse_packet(datagram);
  if (!packet) {
    ++counters_.malformed;
    return;
  }
  if (state_ == State::idle) return;
  heard_ = now;
  handle(*packet, now);
}

void ClientCore::handle(Packet& packet, TimePoint now) {
  switch (packet.type) {
    case Type::connack: return connack(packet, now);
    case Type::willtopicreq:
      if (step_ != Step::connect) return;
      // A repeated CONNECT starts over, so that neither of these needs repetition of its own. Without a will
      // it is empty (section 5.4.7).
      return transmit(options_.will
                          ? Packet{.type = Type::willtopic,
                                   .flags = {.qos = options_.will->qos, .retain = options_.will->retain},
                                   .data = options_.will->topic}
                          : Packet{.type = Type::willtopic},
                      now);
    case Type::willmsgreq:
      if (step_ != Step::connect) return;
      return transmit({.type = Type::willmsg, .data = options_.will ? options_.will->payload : std::string()},
                      now);
    case Type::register_: return registration(packet, now);
    case Type::regack: return regack(packet, now);
    case Type::publish: return message(packet, now);
    case Type::puback: return puback(packet, now);
    case Type::pubrec: return pubrec(packet, now);
    case Type::pubcomp:
      if (is_answer(Step::pubrel, packet)) finish({}, now);
      return;
    case Type::pubrel:
      std::erase(unreleased_, packet.message_id);
      return transmit({.type = Type::pubcomp, .message_id = packet.message_id}, now);
    case Type::suback: return suback(packet, now);
    case Type::unsuback:
      if (!is_answer(Step::unsubscribe, packet)) return;
      subscriptions_.erase(queue_.front().message.topic);
      return finish({}, now);
    case Type::pingreq: return transmit({.type = Type::pingresp}, now);
    case Type::pingresp: return pingresp(now);
    case Type::disconnect: return disconnected(now);
    default: return;  // gateways say no more to clients that did not ask
  }
}

bool ClientCore::congested(const Packet& packet, TimePoint now) {
  if (packet.return_code != ReturnCode::congestion) return false;
  next_ = now + options_.congestion_wait;
  return true;
}

void ClientCore::connack(const Packet& packet, TimePoint now) {
  if (step_ != Step::connect || congested(packet, now)) return;
  if (packet.return_code != ReturnCode::accepted) return lose(refusal("the connection", packet), now);
  step_ = Step::none;
  state_ = State::active;
  connected_at_ = now;
  ++counters_.connects;
  if (std::exchange(met_, true) && told_lost_) {
    for (const auto& [filter, qos] : subscriptions_)
      queue_.push_front({.kind = Work::Kind::subscribe, .message = {filter, {}, qos, false}});
    resubscribing_ = subscriptions_.size();
  }
  told_lost_ = resubscribing_ > 0;
  if (resubscribing_ == 0) effects_.connected();
  pump(now);
}

void ClientCore::registration(const Packet& packet, TimePoint now) {
  Packet answer{.type = Type::regack, .topic_id = packet.topic_id, .message_id = packet.message_id};
  if (!is_topic_name(packet.data)) {
    answer.return_code = ReturnCode::not_supported;
  } else if (names_.size() >= kMaxNames && !names_.contains(packet.topic_id)) {
    answer.return_code = ReturnCode::congestion;
  } else {
    learn(packet.topic_id, packet.data);
  }
  transmit(answer, now);
}

void ClientCore::regack(const Packet& packet, TimePoint now) {
  if (!is_answer(Step::register_, packet) || congested(packet, now)) return;
  auto& work = queue_.front();
  const bool is_id = packet.topic_id != 0 && packet.topic_id != 0xFFFF;
  if (packet.return_code != ReturnCode::accepted || !is_id)
    return finish(refusal(fmt::format("the topic '{}'", work.message.topic), packet), now);
  learn(packet.topic_id, work.message.topic);
  work.registered = true;
  step_ = Step::none;
  pump(now);
}

void ClientCore::message(Packet& packet, TimePoint now) {
  Packet answer{.type = Type::puback, .topic_id = packet.topic_id, .message_id = packet.message_id};
  std::string topic;
  if (packet.flags.topic_kind == TopicKind::short_name) {
    topic = short_topic_name(packet.topic_id);
  } else if (packet.flags.topic_kind == TopicKind::predefined) {
    for (const auto& [id, name] : options_.predefined)
      if (id == packet.topic_id) topic = name;
  } else if (const auto name = names_.find(packet.topic_id); name != names_.end()) {
    topic = name->second;
  }
  if (!is_topic_name(topic)) {
    answer.return_code = ReturnCode::invalid_topic_id;
    return transmit(answer, now);
  }
  const int qos = packet.flags.qos;
  bool is_new = true;
  if (qos == 1) {
    const std::pair key{packet.message_id, std::hash<std::string>()(packet.data) ^ packet.topic_id};
    is_new = !packet.flags.dup || key != last_received_;
    last_received_ = key;
    transmit(answer, now);
  } else if (qos == 2) {
    is_new = std::find(unreleased_.begin(), unreleased_.end(), packet.message_id) == unreleased_.end();
    if (is_new) unreleased_.push_back(packet.message_id);
    if (unreleased_.size() > kMaxUnreleased) unreleased_.pop_front();
    transmit({.type = Type::pubrec, .message_id = packet.message_id}, now);
  }
  ++(is_new ? counters_.received : counters_.duplicates);
  if (is_new)
    effects_.received({std::move(topic), std::move(packet.data), std::max(qos, 0), packet.flags.retain});
}

void ClientCore::puback(const Packet& packet, TimePoint now) {
  const bool is_ours = is_answer(Step::publish, packet);
  if (packet.return_code == ReturnCode::invalid_topic_id) {
    // Of QoS 0 too, whose number is 0: the next message registers the topic again.
    if (const auto name = names_.find(packet.topic_id); name != names_.end()) {
      ids_.erase(name->second);
      names_.erase(name);
    }
    if (!is_ours) return;
    auto& work = queue_.front();
    if (packet_.flags.topic_kind != TopicKind::normal || ++work.unknown > kMaxUnknown)
      return finish(refusal(fmt::format("the topic '{}'", work.message.topic), packet), now);
    work.registered = false;
    step_ = Step::none;
    return pump(now);
  }
  if (!is_ours || congested(packet, now)) return;
  if (packet.return_code != ReturnCode::accepted) return finish(refusal("the message", packet), now);
  if (packet_.flags.qos == 1) finish({}, now);
}

void ClientCore::pubrec(const Packet& packet, TimePoint now) {
  if (is_answer(Step::publish, packet) && packet_.flags.qos == 2) {
    queue_.front().released = true;
    return begin(Step::pubrel, {.type = Type::pubrel, .message_id = packet.message_id}, now);
  }
  // One of long ago: the gateway still waits for its release. The one under way is repeated in its time.
  if (!is_answer(Step::pubrel, packet))
    transmit({.type = Type::pubrel, .message_id = packet.message_id}, now);
}

void ClientCore::suback(const Packet& packet, TimePoint now) {
  if (!is_answer(Step::subscribe, packet) || congested(packet, now)) return;
  const auto filter = queue_.front().message.topic;
  const bool again = queue_.front().ticket == 0;
  if (packet.return_code != ReturnCode::accepted) {
    auto why = refusal(fmt::format("the subscription of '{}'", filter), packet);
    if (again) return lose(why, now);
    return finish(std::move(why), now);
  }
  subscriptions_[filter] = queue_.front().message.qos;
  if (!has_wildcard(filter) && packet_.flags.topic_kind == TopicKind::normal) learn(packet.topic_id, filter);
  if (again && --resubscribing_ == 0) {
    told_lost_ = false;
    effects_.connected();
  }
  finish({}, now);
}

void ClientCore::pingresp(TimePoint now) {
  if (step_ == Step::ping) {
    step_ = Step::none;
    return pump(now);
  }
  if (step_ != Step::fetch) return;
  step_ = Step::none;
  state_ = State::asleep;
  effects_.asleep();
}

void ClientCore::disconnected(TimePoint now) {
  if (step_ == Step::sleep) {
    step_ = Step::none;
    state_ = State::asleep;
    queue_.pop_front();
    return effects_.asleep();
  }
  // To a repeated DISCONNECT came a second answer.
  if (state_ == State::connecting || state_ == State::asleep || !options_.reconnect) return;
  lose(make_error(Errc::unreachable, "the gateway ended the session"), now);
}

}  // namespace aiot::mqttsn
