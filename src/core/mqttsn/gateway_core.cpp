#include "core/mqttsn/gateway_core.h"

#include <algorithm>

#include "core/mqttsn/delivery.h"

namespace aiot::mqttsn {

namespace {

constexpr std::size_t kRecent = 16;  ///< QoS 1 messages of a client that are known again
constexpr Duration kFar = std::chrono::hours(1);

std::size_t hash_of(const Packet& packet) {
  return std::hash<std::string>()(packet.data) ^ (std::size_t{packet.topic_id} << 1);
}

}  // namespace

std::string_view to_string(GatewayDrop reason) {
  switch (reason) {
    case GatewayDrop::malformed: return "malformed";
    case GatewayDrop::not_connected: return "not_connected";
    case GatewayDrop::unknown_topic_id: return "unknown_topic_id";
    case GatewayDrop::bad_topic: return "bad_topic";
    case GatewayDrop::queue_full: return "queue_full";
    case GatewayDrop::limit: return "limit";
    case GatewayDrop::not_stored: return "not_stored";
    case GatewayDrop::refused_by_client: return "refused_by_client";
    case GatewayDrop::expired: return "expired";
  }
  return "unknown";
}

GatewayCore::GatewayCore(GatewayOptions options, GatewayEffects& effects)
    : options_(std::move(options)), effects_(effects), delivery_(std::make_unique<Delivery>(*this)) {}

GatewayCore::~GatewayCore() = default;

std::string GatewayCore::encode(const Peer& to, const Packet& packet) {
  auto out = format_packet(packet);
  return to.node.empty() ? out : format_forwarded(0, to.node, out);
}

void GatewayCore::complain(const Peer& from, GatewayDrop reason, std::string_view what) {
  drop(reason);
  if (complaints_.allow()) log::warn("MQTT-SN: {}: {}", from.text(), what);
}

void GatewayCore::received(const SocketAddress& from, std::string_view datagram, TimePoint now) {
  ++counters_.received;
  Peer peer{from, {}};
  if (is_forwarded(datagram)) {
    const auto forwarded = parse_forwarded(datagram);
    if (!forwarded) return complain(peer, GatewayDrop::malformed, forwarded.error().message);
    peer.node = forwarded->node;
    datagram = forwarded->packet;
  }
  auto packet = parse_packet(datagram);
  if (!packet) return complain(peer, GatewayDrop::malformed, packet.error().message);
  handle(peer, *packet, now);
}

void GatewayCore::handle(const Peer& from, Packet& packet, TimePoint now) {
  switch (packet.type) {
    case Type::searchgw: return searched(from);
    case Type::connect: return connect(from, packet, now);
    case Type::pingreq: return ping(from, packet, now);
    case Type::advertise:
    case Type::gwinfo: return;  // other gateways and clients talk to clients
    default: break;
  }
  if (packet.type == Type::publish && packet.flags.qos < 0) return publish_unconnected(from, packet);
  Session* session = at(from);
  if (session == nullptr || session->state == Session::State::closed) {
    drop(GatewayDrop::not_connected);
    // Tells a client that its session is not known here (section 6.12); an answer to a DISCONNECT all the
    // same.
    send(from, {.type = Type::disconnect});
    return;
  }
  session->heard = now;
  if (session->state == Session::State::lost) {
    // RIOT's emcute connects once, ever: whoever is known by its place goes on where it was.
    session->state = Session::State::active;
    saved(*session);
  }
  handle_of(*session, packet, now);
  if (Session* still = at(from); still != nullptr) file(*still);  // a DISCONNECT may have ended it
}

void GatewayCore::handle_of(Session& session, Packet& packet, TimePoint now) {
  switch (packet.type) {
    case Type::willtopic: return will_topic(session, packet, now);
    case Type::willmsg: return will_message(session, packet, now);
    case Type::willtopicupd:
      session.will.reset();
      if (!packet.data.empty() && is_topic_name(packet.data))
        session.will = Message{packet.data, {}, std::max(packet.flags.qos, 0), packet.flags.retain};
      send(session.peer, {.type = Type::willtopicresp});
      return saved(session);
    case Type::willmsgupd:
      if (session.will) session.will->payload = packet.data;
      send(session.peer, {.type = Type::willmsgresp,
                          .return_code = session.will ? ReturnCode::accepted : ReturnCode::not_supported});
      return saved(session);
    case Type::register_: return register_topic(session, packet);
    case Type::publish: publish(session, packet); break;
    case Type::pubrel: return release(session, packet);
    case Type::subscribe: return subscribe(session, packet, now);
    case Type::unsubscribe: return unsubscribe(session, packet);
    case Type::disconnect: return disconnect(session, packet);
    case Type::regack: return delivery_->registered(session, packet, now);
    case Type::puback: return delivery_->acknowledged(session, packet, now);
    case Type::pubrec: return delivery_->received(session, packet, now);
    case Type::pubcomp: return delivery_->completed(session, packet, now);
    default: return complain(session.peer, GatewayDrop::malformed, to_string(packet.type));
  }
  delivery_->pump(session, now);
}

void GatewayCore::register_topic(Session& session, const Packet& packet) {
  Packet answer{.type = Type::regack, .message_id = packet.message_id};
  if (!is_topic_name(packet.data)) {
    answer.return_code = ReturnCode::not_supported;
    complain(session.peer, GatewayDrop::bad_topic, "REGISTER of a name that is no topic");
  } else {
    const bool is_new = session.topics.find(packet.data) == 0;
    answer.topic_id = session.topics.assign(packet.data, options_.topics);
    if (answer.topic_id == 0) {
      answer.return_code = ReturnCode::congestion;
      complain(session.peer, GatewayDrop::limit, "more topics than a client may have");
    } else {
      session.topics.set_known(answer.topic_id, true);
      if (is_new) saved(session, SessionChange::Kind::topic, answer.topic_id);
    }
  }
  send(session.peer, answer);
}

const std::string* GatewayCore::predefined_name(std::uint16_t id) const {
  for (const auto& [known, name] : options_.predefined)
    if (known == id) return &name;
  return nullptr;
}

std::string GatewayCore::topic_of(const Session* session, const Packet& packet) const {
  const std::string* name = nullptr;
  switch (packet.flags.topic_kind) {
    case TopicKind::short_name: {
      auto text = short_topic_name(packet.topic_id);
      return is_topic_name(text) ? text : std::string();
    }
    case TopicKind::predefined: name = predefined_name(packet.topic_id); break;
    case TopicKind::normal:
      name = session == nullptr ? nullptr : session->topics.name(packet.topic_id);
      break;
  }
  return name == nullptr ? std::string() : *name;
}

void GatewayCore::publish(Session& session, Packet& packet) {
  const int qos = packet.flags.qos;
  Packet answer{.type = Type::puback, .topic_id = packet.topic_id, .message_id = packet.message_id};
  auto topic = topic_of(&session, packet);
  if (topic.empty()) {
    answer.return_code = ReturnCode::invalid_topic_id;
    send(session.peer, answer);
    return complain(session.peer, GatewayDrop::unknown_topic_id,
                    "PUBLISH to a topic id that is not registered");
  }
  if (qos > 0) {
    const auto hash = hash_of(packet);
    const auto id = packet.message_id;
    const auto under_way = session.storing.find(id);
    if (under_way != session.storing.end() && storing_.at(under_way->second).hash == hash) {
      ++counters_.duplicates;  // its answer follows
      return;
    }
    if (qos == 2 && session.unreleased.contains(id)) {
      ++counters_.duplicates;
      return send(session.peer, {.type = Type::pubrec, .message_id = id});
    }
    const std::pair<std::uint16_t, std::size_t> key{id, hash};
    if (packet.flags.dup &&
        std::find(session.recent.begin(), session.recent.end(), key) != session.recent.end()) {
      ++counters_.duplicates;
      if (qos == 1) return send(session.peer, answer);
      session.unreleased.insert(id);  // stored by an earlier run
      saved(session, SessionChange::Kind::unreleased, id);
      return send(session.peer, {.type = Type::pubrec, .message_id = id});
    }
    storing_[++last_ticket_] = {session.client_id, id, packet.topic_id, qos, hash};
    session.storing[id] = last_ticket_;
  }
  ++counters_.published;
  effects_.publish(qos > 0 ? last_ticket_ : 0, session.client_id,
                   {std::move(topic), std::move(packet.data), qos, packet.flags.retain});
}

void GatewayCore::stored(Ticket ticket, bool ok) {
  const auto found = storing_.find(ticket);
  if (found == storing_.end()) return;
  const auto storing = std::move(found->second);
  storing_.erase(found);
  const auto at = sessions_.find(storing.client_id);
  if (at == sessions_.end()) return;
  auto& session = *at->second;
  if (!ok) drop(GatewayDrop::not_stored);
  const auto under_way = session.storing.find(storing.message_id);
  // Begun anew, the client does not wait for it, and may have given its number to another message.
  if (under_way == session.storing.end() || under_way->second != ticket) return;
  session.storing.erase(under_way);
  if (!ok) {
    send(session.peer, {.type = Type::puback,
                        .topic_id = storing.topic_id,
                        .message_id = storing.message_id,
                        .return_code = ReturnCode::congestion});
    return;
  }
  if (storing.qos == 2) {
    session.unreleased.insert(storing.message_id);
    saved(session, SessionChange::Kind::unreleased, storing.message_id);
    return send(session.peer, {.type = Type::pubrec, .message_id = storing.message_id});
  }
  session.recent.emplace_back(storing.message_id, storing.hash);
  if (session.recent.size() > kRecent) session.recent.pop_front();
  send(session.peer, {.type = Type::puback, .topic_id = storing.topic_id, .message_id = storing.message_id});
}

std::optional<std::pair<std::uint16_t, std::uint64_t>> GatewayCore::name_of(Ticket ticket) const {
  const auto found = storing_.find(ticket);
  if (found == storing_.end()) return std::nullopt;
  return std::pair(found->second.message_id, std::uint64_t{found->second.hash});
}

void GatewayCore::remember(const std::string& client_id, std::uint16_t message_id, std::uint64_t hash) {
  const auto at = sessions_.find(client_id);
  if (at == sessions_.end()) return;
  auto& recent = at->second->recent;
  recent.emplace_back(message_id, static_cast<std::size_t>(hash));
  if (recent.size() > kRecent) recent.pop_front();
}

void GatewayCore::publish_unconnected(const Peer& from, Packet& packet) {
  auto topic = packet.flags.topic_kind == TopicKind::normal ? std::string() : topic_of(nullptr, packet);
  if (topic.empty()) {
    return complain(from, GatewayDrop::unknown_topic_id,
                    "PUBLISH at QoS -1 to something else than a predefined or short topic");
  }
  ++counters_.published;
  effects_.publish(0, {}, {std::move(topic), std::move(packet.data), 0, packet.flags.retain});
}

void GatewayCore::release(Session& session, const Packet& packet) {
  if (session.unreleased.erase(packet.message_id) != 0)
    saved(session, SessionChange::Kind::released, packet.message_id);
  send(session.peer, {.type = Type::pubcomp, .message_id = packet.message_id});
}

bool GatewayCore::fits(const Message& message) {
  const bool is_topic = is_topic_name(message.topic);
  if (is_topic && message.payload.size() <= kMaxPayload) return true;
  drop(is_topic ? GatewayDrop::limit : GatewayDrop::bad_topic);
  return false;
}

std::size_t GatewayCore::deliver(const Message& message, TimePoint now) {
  if (!fits(message)) return 0;
  // Of several filters that match, the best QoS counts, and the client gets the message once.
  std::unordered_map<Session*, int> wanted;
  subscriptions_.match(message.topic, [&](Session& session, int qos) {
    auto& best = wanted[&session];
    best = std::max(best, qos);
  });
  for (const auto& [session, qos] : wanted) {
    Message copy = message;
    copy.qos = std::min(message.qos, qos);
    copy.retain = false;  // it is news to them (MQTT 3.1.1 section 3.3.1.3)
    delivery_->add(*session, std::move(copy), now);
  }
  return wanted.size();
}

void GatewayCore::deliver_to(const std::string& client_id, Message message, TimePoint now) {
  if (!fits(message)) return;
  const auto found = sessions_.find(client_id);
  if (found != sessions_.end()) delivery_->add(*found->second, std::move(message), now);
}

TimePoint GatewayCore::expiry(const Session& session) {
  const bool counts = session.state != Session::State::lost && session.state != Session::State::closed &&
                      session.keep_alive > Duration(0);
  if (!counts) return TimePoint::max();
  // Half as long again for short times, a tenth for long ones (section 7.2).
  const bool is_long = session.keep_alive > std::chrono::minutes(1);
  return session.heard + session.keep_alive + session.keep_alive / (is_long ? 10 : 2);
}

TimePoint GatewayCore::retransmission(const Session& session) {
  const bool waits = session.reachable() && session.in_flight.step != InFlight::Step::none;
  return waits ? session.in_flight.next : TimePoint::max();
}

void GatewayCore::file(Session& session) {
  const bool is_idle = session.state == Session::State::lost || session.state == Session::State::closed;
  const auto idle_since = is_idle ? session.heard : TimePoint::max();
  if (idle_since != session.idle_since) {
    idle_.erase({session.idle_since, &session});
    session.idle_since = idle_since;
    if (is_idle) idle_.insert({idle_since, &session});
  }
  const auto deadline = std::min(expiry(session), retransmission(session));
  if (deadline == session.deadline) return;
  due_.erase({session.deadline, &session});
  session.deadline = deadline;
  if (deadline != TimePoint::max()) due_.insert({deadline, &session});
}

TimePoint GatewayCore::tick(TimePoint now) {
  while (!due_.empty() && due_.begin()->first <= now) {
    Session& session = *due_.begin()->second;
    const bool silent = expiry(session) <= now;
    const bool unanswered = retransmission(session) <= now;
    if (!silent && unanswered && delivery_->retry(session, now)) continue;
    if (silent || unanswered) lose(session);
    file(session);
  }
  return due_.empty() ? now + kFar : due_.begin()->first;
}

GatewayCounters GatewayCore::counters() const {
  auto out = counters_;
  out.sessions = sessions_.size();
  out.connected = static_cast<std::size_t>(std::count_if(
      sessions_.begin(), sessions_.end(), [](const auto& session) { return session.second->reachable(); }));
  out.queued = delivery_->queued();
  return out;
}

const Session* GatewayCore::find(const std::string& client_id) const {
  const auto found = sessions_.find(client_id);
  return found == sessions_.end() ? nullptr : found->second.get();
}

std::string GatewayCore::advertisement(std::uint16_t seconds) const {
  return format_packet({.type = Type::advertise, .duration = seconds, .gateway_id = options_.gateway_id});
}

}  // namespace aiot::mqttsn
