// How clients of the MQTT-SN gateway come, subscribe, sleep and go.
#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/mqttsn/delivery.h"
#include "core/mqttsn/gateway_core.h"

namespace aiot::mqttsn {

namespace {

constexpr std::size_t kMaxClientId = 128;  ///< the standard's 23 are less than what is in use

bool is_client_id(std::string_view id) {
  return !id.empty() && id.size() <= kMaxClientId && std::all_of(id.begin(), id.end(), [](char c) {
    return static_cast<unsigned char>(c) > 0x20 && c != 0x7F;
  });
}

}  // namespace

Session* GatewayCore::at(const Peer& peer) {
  const auto found = peers_.find(peer);
  return found == peers_.end() ? nullptr : found->second;
}

void GatewayCore::bind(Session& session, const Peer& peer) {
  if (Session* other = at(peer); other != nullptr && other != &session) {
    other->displaced = true;
    lose(*other);
    unbind(*other);
    saved(*other);
  }
  unbind(session);
  session.peer = peer;
  session.displaced = false;
  peers_[peer] = &session;
}

void GatewayCore::unbind(Session& session) {
  const auto found = peers_.find(session.peer);
  if (found != peers_.end() && found->second == &session) peers_.erase(found);
}

void GatewayCore::searched(const Peer& from) {
  send(from, {.type = Type::gwinfo, .gateway_id = options_.gateway_id});
}

bool GatewayCore::is_strange(const Session& session, const Peer& from) const {
  if (!options_.trust_first_use || session.peer.address.empty()) return false;
  const auto& known = session.peer;
  if (known.address.host() == from.address.host() && known.node == from.node) return false;
  return std::none_of(options_.released.begin(), options_.released.end(), [&](const std::string& pattern) {
    return text::glob_match(pattern, session.client_id);
  });
}

void GatewayCore::connect(const Peer& from, Packet& packet, TimePoint now) {
  if (!is_client_id(packet.data)) {
    send(from, {.type = Type::connack, .return_code = ReturnCode::not_supported});
    return complain(from, GatewayDrop::limit,
                    "CONNECT with a client id that is empty, too long or not printable");
  }
  auto known = sessions_.find(packet.data);
  if (known == sessions_.end()) {
    if (!make_room()) {
      send(from, {.type = Type::connack, .return_code = ReturnCode::congestion});
      return complain(from, GatewayDrop::limit, "CONNECT while all places for clients are taken");
    }
    known = sessions_.emplace(packet.data, std::make_unique<Session>()).first;
    known->second->client_id = packet.data;
  }
  Session& session = *known->second;
  if (is_strange(session, from)) {
    send(from, {.type = Type::connack, .return_code = ReturnCode::not_supported});
    return complain(from, GatewayDrop::not_connected,
                    fmt::format("CONNECT as '{}', a client that was first at {}",
                                text::escape_controls(session.client_id), session.peer.address.host()));
  }
  if (session.reachable() && !(session.peer == from)) {
    // The newer wins; the older is told (MQTT 3.1.1 section 3.1.4).
    send(session.peer, {.type = Type::disconnect});
  }
  bind(session, from);
  Delivery::interrupt(session);
  session.clean = packet.flags.clean_session;
  session.keep_alive = std::chrono::seconds(packet.duration);
  session.heard = now;
  session.plain = false;
  if (session.clean) {
    forget_subscriptions(session);
    delivery_->forget(session);
    session.queue.clear();
    session.queued_bytes = 0;
    session.in_flight = {};
    session.publish_id = 0;
    session.topic_refused = false;
    session.unreleased.clear();
    session.storing.clear();
    session.topics.forget_known();
    saved(session, SessionChange::Kind::cleared);
    session.recent.clear();
    session.will.reset();
  }
  if (!packet.flags.will) return connected(session, now);
  session.state = Session::State::connecting;
  session.will.reset();
  send(session.peer, {.type = Type::willtopicreq});
  file(session);
}

void GatewayCore::connected(Session& session, TimePoint now) {
  session.state = Session::State::active;
  send(session.peer, {.type = Type::connack});
  saved(session);
  if (session.in_flight.step == InFlight::Step::pubrel) session.in_flight.next = now;
  file(session);
  delivery_->pump(session, now);
}

void GatewayCore::will_topic(Session& session, Packet& packet, TimePoint now) {
  if (session.state != Session::State::connecting) return;
  if (packet.data.empty()) return connected(session, now);  // it has none after all (section 5.4.7)
  if (!is_topic_name(packet.data)) {
    send(session.peer, {.type = Type::connack, .return_code = ReturnCode::not_supported});
    return complain(session.peer, GatewayDrop::bad_topic, "a will on a name that is no topic");
  }
  session.will = Message{std::move(packet.data), {}, std::max(packet.flags.qos, 0), packet.flags.retain};
  send(session.peer, {.type = Type::willmsgreq});
}

void GatewayCore::will_message(Session& session, Packet& packet, TimePoint now) {
  if (session.state != Session::State::connecting || !session.will) return;
  session.will->payload = std::move(packet.data);
  connected(session, now);
}

void GatewayCore::subscribe(Session& session, const Packet& packet, TimePoint now) {
  Packet answer{.type = Type::suback, .message_id = packet.message_id};
  answer.flags.qos = std::clamp(packet.flags.qos, 0, 2);
  const auto filter = packet.flags.topic_kind == TopicKind::normal ? packet.data : topic_of(&session, packet);
  const bool is_new = !session.subscriptions.contains(filter);
  // MQTT 5's shared subscriptions are between the clients of one server; MQTT-SN 1.2 has none.
  if (!is_topic_filter(filter) || unshared(filter) != filter) {
    answer.return_code = packet.flags.topic_kind == TopicKind::normal ? ReturnCode::not_supported
                                                                      : ReturnCode::invalid_topic_id;
    complain(session.peer, GatewayDrop::bad_topic, "SUBSCRIBE of something that is no topic filter");
  } else if (is_new && session.subscriptions.size() >= options_.subscriptions) {
    answer.return_code = ReturnCode::congestion;
    complain(session.peer, GatewayDrop::limit, "more subscriptions than a client may have");
  } else if (packet.flags.topic_kind != TopicKind::normal) {
    answer.topic_id = packet.topic_id;
  } else if (!has_wildcard(filter)) {
    answer.topic_id = session.topics.assign(filter, options_.topics);
    if (answer.topic_id == 0) {
      answer.return_code = ReturnCode::congestion;
      complain(session.peer, GatewayDrop::limit, "more topics than a client may have");
    }
    session.topics.set_known(answer.topic_id, true);
    if (answer.topic_id != 0) saved(session, SessionChange::Kind::topic, answer.topic_id);
  }
  send(session.peer, answer);
  if (answer.return_code != ReturnCode::accepted) return;
  session.subscriptions[filter] = answer.flags.qos;
  subscriptions_.add(filter, &session, answer.flags.qos);
  if (is_new && filters_[filter]++ == 0) effects_.subscribe(filter);
  effects_.wants_retained(session.client_id, filter, answer.flags.qos);
  saved(session);
  delivery_->pump(session, now);
}

void GatewayCore::unsubscribe(Session& session, const Packet& packet) {
  const auto filter = packet.flags.topic_kind == TopicKind::normal ? packet.data : topic_of(&session, packet);
  drop_subscription(session, filter);
  send(session.peer, {.type = Type::unsuback, .message_id = packet.message_id});
  saved(session);
}

void GatewayCore::drop_subscription(Session& session, const std::string& filter) {
  if (session.subscriptions.erase(filter) == 0) return;
  subscriptions_.remove(filter, &session);
  const auto count = filters_.find(filter);
  if (count == filters_.end() || --count->second != 0) return;
  filters_.erase(count);
  effects_.unsubscribe(filter);
}

void GatewayCore::forget_subscriptions(Session& session) {
  while (!session.subscriptions.empty())
    drop_subscription(session, std::string(session.subscriptions.begin()->first));
}

void GatewayCore::ping(const Peer& from, Packet& packet, TimePoint now) {
  Session* session = at(from);
  if (!packet.data.empty()) {
    // A client that slept may speak from another address (NAT): its id says who it is.
    const auto known = sessions_.find(packet.data);
    if (known != sessions_.end() && known->second->state == Session::State::asleep &&
        !is_strange(*known->second, from))
      session = known->second.get();
  }
  if (session == nullptr || session->state == Session::State::closed) {
    drop(GatewayDrop::not_connected);
    return send(from, {.type = Type::disconnect});
  }
  if (!(session->peer == from)) {
    bind(*session, from);
    saved(*session);
  }
  session->heard = now;
  if (session->state == Session::State::asleep || session->state == Session::State::awake) {
    session->state = Session::State::awake;
    delivery_->pump(*session, now);  // PINGRESP follows the last message
  } else {
    if (session->state == Session::State::lost) session->state = Session::State::active;
    send(from, {.type = Type::pingresp});
    delivery_->pump(*session, now);
  }
  file(*session);
}

void GatewayCore::disconnect(Session& session, const Packet& packet) {
  send(session.peer, {.type = Type::disconnect});
  Delivery::interrupt(session);
  if (packet.has_duration && packet.duration > 0) {
    session.state = Session::State::asleep;
    session.keep_alive = std::chrono::seconds(packet.duration);
    return saved(session);
  }
  session.state = Session::State::closed;
  session.will.reset();
  if (session.clean) return forget(session);
  saved(session);
}

void GatewayCore::lose(Session& session) {
  if (session.state == Session::State::lost || session.state == Session::State::closed) return;
  session.state = Session::State::lost;
  Delivery::interrupt(session);
  saved(session);
  file(session);
  if (!session.will) return;
  const auto will = *session.will;
  session.will.reset();
  ++counters_.published;
  effects_.publish(0, session.client_id, will);
}

void GatewayCore::forget(Session& session) {
  unbind(session);
  forget_subscriptions(session);
  delivery_->forget(session);
  due_.erase({session.deadline, &session});
  idle_.erase({session.idle_since, &session});
  saved(session, SessionChange::Kind::gone);
  sessions_.erase(std::string(session.client_id));
}

bool GatewayCore::make_room() {
  if (sessions_.size() < options_.sessions) return true;
  if (idle_.empty()) return false;
  forget(*idle_.begin()->second);
  return true;
}

void GatewayCore::restore(Session restored, TimePoint now) {
  auto& slot = sessions_[restored.client_id];
  if (slot) return;
  slot = std::make_unique<Session>(std::move(restored));
  Session& session = *slot;
  session.heard = now;
  session.deadline = session.idle_since = TimePoint::max();
  session.storing.clear();  // their clients repeat them
  // Only a message of QoS 2 can wait for its release.
  if (session.queue.empty() || session.queue.front().qos != 2) session.in_flight = {};
  Delivery::interrupt(session);
  if (!session.displaced && at(session.peer) == nullptr) peers_[session.peer] = &session;
  for (const auto& [filter, qos] : session.subscriptions) {
    subscriptions_.add(filter, &session, qos);
    if (filters_[filter]++ == 0) effects_.subscribe(filter);
  }
  delivery_->restored(session);
  if (session.in_flight.step == InFlight::Step::pubrel) session.in_flight.next = now;
  file(session);
  delivery_->pump(session, now);
}

}  // namespace aiot::mqttsn
