#include "core/mqttsn/delivery.h"

#include <algorithm>
#include <utility>

namespace aiot::mqttsn {

namespace {

bool is_saved(const Message& message) { return message.qos > 0 && message.expires == TimePoint::max(); }

}  // namespace

std::uint16_t Delivery::next_message_id(Session& session) {
  if (++session.last_message_id == 0) session.last_message_id = 1;
  return session.last_message_id;
}

std::pair<TopicKind, std::uint16_t> Delivery::topic_id(Session& session, const std::string& topic) const {
  // An id of its own goes first: it subscribed that name, or knows no other kind.
  if (const auto id = session.topics.find(topic); id != 0) return {TopicKind::normal, id};
  for (const auto& [id, name] : core_.options_.predefined)
    if (name == topic) return {TopicKind::predefined, id};
  if (topic.size() == 2) return {TopicKind::short_name, short_topic_id(topic[0], topic[1])};
  return {TopicKind::normal, session.topics.assign(topic, core_.options_.topics)};
}

void Delivery::add(Session& session, Message message, TimePoint now) {
  const bool can_wait = message.qos > 0 || session.state == Session::State::asleep;
  if (!session.reachable() && !can_wait) return;
  const auto size = message.size();
  const auto& options = core_.options_;
  if (session.queue.size() >= options.queued_messages || session.queued_bytes + size > options.queued_bytes ||
      queued_bytes_ + size > options.total_queued_bytes) {
    core_.drop(GatewayDrop::queue_full);
    return;
  }
  session.queued_bytes += size;
  queued_bytes_ += size;
  ++queued_;
  const bool keep = is_saved(message);
  session.queue.push_back(std::move(message));
  if (keep) core_.saved(session, SessionChange::Kind::queued);
  pump(session, now);
}

void Delivery::pump(Session& session, TimePoint now) {
  while (session.reachable() && session.in_flight.step == InFlight::Step::none && !session.queue.empty()) {
    const auto& message = session.queue.front();
    if (message.expires <= now) {
      core_.drop(GatewayDrop::expired);
      pop(session, false);
      continue;
    }
    const auto [kind, id] = topic_id(session, message.topic);
    if (id == 0) {
      core_.drop(GatewayDrop::limit);
      pop(session, false);
      continue;
    }
    session.in_flight.topic_kind = kind;
    session.in_flight.topic_id = id;
    if (kind == TopicKind::normal && !session.topics.known(id)) {
      start(session, InFlight::Step::register_, now);
    } else {
      start(session, InFlight::Step::publish, now);
      if (message.qos == 0) pop(session, true);
    }
  }
  if (session.state == Session::State::awake && session.in_flight.step == InFlight::Step::none) {
    session.state = Session::State::asleep;
    core_.send(session.peer, {.type = Type::pingresp});
  }
}

void Delivery::start(Session& session, InFlight::Step step, TimePoint now) {
  auto& in_flight = session.in_flight;
  // A message keeps its number over connections, so that a client knows a QoS 2 one again; PUBREL goes on
  // with the number of its PUBLISH.
  const bool again = step == InFlight::Step::publish && session.publish_id != 0;
  if (step != InFlight::Step::pubrel)
    in_flight.message_id = again ? session.publish_id : next_message_id(session);
  in_flight.step = step;
  in_flight.tries = 0;
  in_flight.next = now + core_.options_.retry_after;
  if (step == InFlight::Step::publish && session.queue.front().qos > 0 && !again) {
    session.publish_id = in_flight.message_id;
    if (session.queue.front().qos == 2) core_.saved(session);
  }
  transmit(session, again);
  core_.file(session);
}

void Delivery::transmit(Session& session, bool again) {
  const auto& in_flight = session.in_flight;
  Packet packet{.topic_id = in_flight.topic_id, .message_id = in_flight.message_id};
  if (in_flight.step == InFlight::Step::pubrel) {
    packet.type = Type::pubrel;
  } else if (in_flight.step == InFlight::Step::register_) {
    packet.type = Type::register_;
    packet.data = session.queue.front().topic;
  } else {
    const auto& message = session.queue.front();
    packet.type = Type::publish;
    packet.flags.qos = message.qos;
    packet.flags.dup = again && !session.plain;
    packet.flags.retain = message.retain && !session.plain;
    packet.flags.topic_kind = in_flight.topic_kind;
    if (message.qos == 0) packet.message_id = 0;
    packet.data = message.payload;
  }
  core_.send(session.peer, packet);
}

bool Delivery::retry(Session& session, TimePoint now) {
  auto& in_flight = session.in_flight;
  const auto limit = core_.options_.retries;
  if (limit >= 0 && in_flight.tries >= limit) {
    // A PUBREL goes on as such: the client has the message already.
    if (in_flight.step != InFlight::Step::pubrel) interrupt(session);
    return false;
  }
  ++in_flight.tries;
  ++core_.counters_.retransmissions;
  in_flight.next = now + core_.options_.retry_after;
  transmit(session, true);
  core_.file(session);
  return true;
}

void Delivery::interrupt(Session& session) {
  // After PUBREC the message is the client's: only its release is still to come.
  if (session.in_flight.step != InFlight::Step::pubrel) session.in_flight = {};
}

void Delivery::pop(Session& session, bool delivered) {
  const bool kept = is_saved(session.queue.front());
  const auto size = session.queue.front().size();
  session.queued_bytes -= size;
  queued_bytes_ -= size;
  --queued_;
  session.queue.pop_front();
  session.in_flight = {};
  session.publish_id = 0;
  session.topic_refused = false;
  if (delivered) ++core_.counters_.delivered;
  if (kept) core_.saved(session, SessionChange::Kind::dequeued);
  core_.file(session);
}

bool Delivery::is_waiting(const Session& session, InFlight::Step step, const Packet& packet) const {
  return session.in_flight.step == step && session.in_flight.message_id == packet.message_id;
}

void Delivery::registered(Session& session, const Packet& packet, TimePoint now) {
  if (!is_waiting(session, InFlight::Step::register_, packet)) return;
  if (packet.return_code == ReturnCode::accepted) {
    const auto id = session.in_flight.topic_id;
    session.topics.set_known(id, true);
    session.in_flight = {};
    core_.saved(session, SessionChange::Kind::topic, id);
  } else if (packet.return_code == ReturnCode::congestion) {
    return;  // asked again when its time comes
  } else {
    core_.drop(GatewayDrop::refused_by_client);
    pop(session, false);
  }
  pump(session, now);
}

void Delivery::acknowledged(Session& session, const Packet& packet, TimePoint now) {
  auto& in_flight = session.in_flight;
  if (packet.return_code == ReturnCode::invalid_topic_id) {
    // Also for QoS 0, whose number is 0: the id is told again before the next message of that topic.
    session.topics.set_known(packet.topic_id, false);
    if (!is_waiting(session, InFlight::Step::publish, packet)) return;
    if (std::exchange(session.topic_refused, true)) {  // told once more, and still unknown
      core_.drop(GatewayDrop::refused_by_client);
      pop(session, false);
    } else {
      session.topics.assign(session.queue.front().topic, core_.options_.topics);
      in_flight = {};
    }
    return pump(session, now);
  }
  if (!is_waiting(session, InFlight::Step::publish, packet)) return;
  if (packet.return_code == ReturnCode::congestion) return;
  if (packet.return_code == ReturnCode::not_supported && !session.plain) {
    session.plain = true;
    return transmit(session, false);
  }
  const bool accepted = packet.return_code == ReturnCode::accepted;
  if (accepted && session.queue.front().qos == 2) return;  // PUBREC is what it owes
  if (!accepted) core_.drop(GatewayDrop::refused_by_client);
  pop(session, accepted);
  pump(session, now);
}

void Delivery::received(Session& session, const Packet& packet, TimePoint now) {
  if (is_waiting(session, InFlight::Step::publish, packet) && session.queue.front().qos == 2) {
    start(session, InFlight::Step::pubrel, now);
    core_.saved(session);
    return;
  }
  // Its PUBREL was lost, or the message is long done: either way it waits for one.
  core_.send(session.peer, {.type = Type::pubrel, .message_id = packet.message_id});
}

void Delivery::completed(Session& session, const Packet& packet, TimePoint now) {
  if (!is_waiting(session, InFlight::Step::pubrel, packet)) return;
  pop(session, true);
  pump(session, now);
}

void Delivery::forget(const Session& session) {
  queued_ -= session.queue.size();
  queued_bytes_ -= session.queued_bytes;
}

void Delivery::restored(const Session& session) {
  queued_ += session.queue.size();
  queued_bytes_ += session.queued_bytes;
}

}  // namespace aiot::mqttsn
