#include "core/mqttsn/client_core.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/mqttsn/topic.h"

namespace aiot::mqttsn {

namespace {

constexpr Duration kFar = std::chrono::hours(1);
constexpr Duration kFirstBackoff = std::chrono::milliseconds(100);
constexpr Duration kLongestBackoff = std::chrono::seconds(30);
/// A connection that held this long was a good one: the next loss starts with short waits again.
constexpr Duration kSettled = std::chrono::seconds(10);
constexpr std::int64_t kMaxSeconds = 0xFFFF;

std::uint16_t seconds_of(Duration duration) {
  const auto seconds = std::chrono::ceil<std::chrono::seconds>(duration).count();
  return static_cast<std::uint16_t>(std::clamp<std::int64_t>(seconds, 0, kMaxSeconds));
}

}  // namespace

ClientCore::ClientCore(ClientCoreOptions options, ClientEffects& effects)
    : options_(std::move(options)), effects_(effects) {}

void ClientCore::connect(TimePoint now) {
  wanted_ = true;
  if (state_ == State::idle || state_ == State::asleep || state_ == State::awake) begin_connect(now);
}

void ClientCore::begin_connect(TimePoint now) {
  state_ = State::connecting;
  connect_at_ = TimePoint::max();
  // A gateway that forgot us is to be told the topics; one that did not answers with the same ids.
  if (told_lost_) ids_.clear();
  Packet packet{
      .type = Type::connect, .duration = seconds_of(options_.keep_alive), .data = options_.client_id};
  packet.flags.clean_session = options_.clean_session && !met_;
  packet.flags.will = options_.will.has_value();
  begin(Step::connect, std::move(packet), now);
}

void ClientCore::disconnect(TimePoint now) {
  wanted_ = false;
  connect_at_ = TimePoint::max();
  queue_.clear();
  resubscribing_ = 0;
  step_ = Step::none;
  if (std::exchange(state_, State::idle) != State::idle) transmit({.type = Type::disconnect}, now);
}

void ClientCore::sleep(Duration duration, TimePoint now) {
  // One that still waits, as after a loss, gives way: what was queued since comes first.
  const auto first = queue_.begin() + (is_of_queue(step_) ? 1 : 0);
  queue_.erase(
      std::remove_if(first, queue_.end(), [](const Work& work) { return work.kind == Work::Kind::sleep; }),
      queue_.end());
  enqueue({.kind = Work::Kind::sleep, .duration = duration}, now);
}

void ClientCore::wake(TimePoint now) {
  if (state_ != State::asleep) return;
  state_ = State::awake;
  begin(Step::fetch, {.type = Type::pingreq, .data = options_.client_id}, now);
}

void ClientCore::publish(Ticket ticket, Message message, TimePoint now) {
  if (!is_topic_name(message.topic))
    return effects_.done(ticket, make_error(Errc::usage, fmt::format("'{}' is not a topic", message.topic)));
  if (message.payload.size() > kMaxPayload) {
    return effects_.done(ticket,
                         make_error(Errc::usage, fmt::format("a message of {} bytes does not fit a datagram",
                                                             message.payload.size())));
  }
  if (message.qos >= 0)
    return enqueue({.kind = Work::Kind::publish, .ticket = ticket, .message = std::move(message)}, now);
  const auto [kind, id] = topic_id(message.topic);
  if (kind == TopicKind::normal) {
    return effects_.done(
        ticket,
        make_error(Errc::usage,
                   fmt::format("QoS -1 needs a predefined or two-character topic, not '{}'", message.topic)));
  }
  transmit({.type = Type::publish,
            .flags = {.qos = -1, .retain = message.retain, .topic_kind = kind},
            .topic_id = id,
            .data = std::move(message.payload)},
           now);
  effects_.done(ticket, {});
}

void ClientCore::subscribe(Ticket ticket, std::string filter, int qos, TimePoint now) {
  ask(Work::Kind::subscribe, ticket, std::move(filter), qos, now);
}

void ClientCore::unsubscribe(Ticket ticket, std::string filter, TimePoint now) {
  ask(Work::Kind::unsubscribe, ticket, std::move(filter), 0, now);
}

void ClientCore::ask(Work::Kind kind, Ticket ticket, std::string filter, int qos, TimePoint now) {
  if (!is_topic_filter(filter))
    return effects_.done(ticket, make_error(Errc::usage, fmt::format("'{}' is not a topic filter", filter)));
  enqueue({.kind = kind, .ticket = ticket, .message = {std::move(filter), {}, qos, false}}, now);
}

void ClientCore::enqueue(Work work, TimePoint now) {
  if (queue_.size() >= options_.queued) {
    if (work.ticket == 0) return;
    return effects_.done(work.ticket,
                         make_error(Errc::internal, fmt::format("{} messages wait already", queue_.size())));
  }
  queue_.push_back(std::move(work));
  pump(now);
}

bool ClientCore::left(Ticket ticket) const {
  return !queue_.empty() && queue_.front().ticket == ticket && queue_.front().kind == Work::Kind::publish &&
         queue_.front().message_id != 0;
}

void ClientCore::forget(Ticket ticket, TimePoint now) {
  const auto found =
      std::find_if(queue_.begin(), queue_.end(), [&](const Work& work) { return work.ticket == ticket; });
  if (found == queue_.end() || ticket == 0) return;
  if (found == queue_.begin() && is_of_queue(step_)) step_ = Step::none;
  queue_.erase(found);
  pump(now);
}

void ClientCore::transmit(const Packet& packet, TimePoint now) {
  ++counters_.sent;
  sent_ = now;
  effects_.send(format_packet(packet));
}

void ClientCore::begin(Step step, Packet packet, TimePoint now) {
  step_ = step;
  packet_ = std::move(packet);
  tries_ = 0;
  next_ = now + options_.retry_after;
  transmit(packet_, now);
}

void ClientCore::repeat(TimePoint now) {
  if (options_.retries >= 0 && tries_ >= options_.retries) return gave_up(now);
  ++tries_;
  ++counters_.retransmissions;
  next_ = now + options_.retry_after;
  if (packet_.type == Type::publish || packet_.type == Type::subscribe) packet_.flags.dup = true;
  transmit(packet_, now);
}

void ClientCore::gave_up(TimePoint now) {
  const auto step = std::exchange(step_, Step::none);
  auto why =
      make_error(Errc::timeout, fmt::format("no answer from the gateway to {}", to_string(packet_.type)));
  if (options_.reconnect || step == Step::connect) return lose(why, now);
  if (step == Step::fetch || step == Step::sleep) {
    if (step == Step::sleep) queue_.pop_front();
    state_ = State::asleep;
    return effects_.asleep();
  }
  if (step != Step::ping) return finish(std::move(why), now);
  sent_ = heard_ = now;  // the next ping has its time
}

void ClientCore::lose(const Error& why, TimePoint now) {
  if (state_ == State::active && now - connected_at_ > kSettled) backoff_ = {};
  state_ = State::idle;
  step_ = Step::none;
  backoff_ = std::clamp(backoff_ * 2, kFirstBackoff, kLongestBackoff);
  connect_at_ = now + backoff_;
  resubscribing_ = 0;
  std::erase_if(queue_,
                [](const Work& work) { return work.ticket == 0 && work.kind == Work::Kind::subscribe; });
  if (!std::exchange(told_lost_, true)) effects_.lost(why);
}

void ClientCore::pump(TimePoint now) {
  if (std::exchange(pumping_, true)) return;  // what ends at once is followed by the loop below
  while (state_ == State::active && step_ == Step::none && !queue_.empty()) start(queue_.front(), now);
  pumping_ = false;
}

void ClientCore::start(Work& work, TimePoint now) {
  const auto& topic = work.message.topic;
  if (work.kind == Work::Kind::publish) return start_publish(work, now);
  if (work.kind == Work::Kind::sleep) {
    return begin(Step::sleep,
                 {.type = Type::disconnect, .duration = seconds_of(work.duration), .has_duration = true},
                 now);
  }
  const bool adds = work.kind == Work::Kind::subscribe;
  Packet packet{.type = adds ? Type::subscribe : Type::unsubscribe, .message_id = next_message_id()};
  if (adds) packet.flags.qos = work.message.qos;
  const auto [kind, id] =
      has_wildcard(topic) ? std::pair{TopicKind::normal, std::uint16_t{0}} : topic_id(topic);
  packet.flags.topic_kind = kind;
  if (kind == TopicKind::normal) {
    packet.data = topic;
  } else {
    packet.topic_id = id;
  }
  begin(adds ? Step::subscribe : Step::unsubscribe, std::move(packet), now);
}

void ClientCore::start_publish(Work& work, TimePoint now) {
  if (work.released) return begin(Step::pubrel, {.type = Type::pubrel, .message_id = work.message_id}, now);
  const auto [kind, id] = topic_id(work.message.topic);
  if (kind == TopicKind::normal && (id == 0 || (options_.register_each && !work.registered))) {
    return begin(Step::register_,
                 {.type = Type::register_, .message_id = next_message_id(), .data = work.message.topic}, now);
  }
  Packet packet{.type = Type::publish,
                .flags = {.qos = work.message.qos, .retain = work.message.retain, .topic_kind = kind},
                .topic_id = id};
  packet.data = work.message.payload;
  if (work.message.qos == 0) {
    transmit(packet, now);
    return finish({}, now);
  }
  // One that may have arrived already, before the gateway was lost, keeps its number.
  packet.flags.dup = work.message_id != 0;
  if (work.message_id == 0) work.message_id = next_message_id();
  packet.message_id = work.message_id;
  begin(Step::publish, std::move(packet), now);
}

void ClientCore::finish(Result<> result, TimePoint now) {
  step_ = Step::none;
  if (!queue_.empty()) {
    const auto ticket = queue_.front().ticket;
    queue_.pop_front();
    if (ticket != 0) effects_.done(ticket, std::move(result));
  }
  pump(now);
}

TimePoint ClientCore::ping_due() const {
  if (state_ != State::active || step_ != Step::none || options_.keep_alive <= Duration(0))
    return TimePoint::max();
  // Early enough for a repetition, and also when it is only the gateway that is silent.
  return std::min(sent_, heard_) + options_.keep_alive * 3 / 4;
}

TimePoint ClientCore::due() const {
  const auto repetition = step_ == Step::none ? TimePoint::max() : next_;
  return std::min({repetition, connect_at_, ping_due()});
}

TimePoint ClientCore::tick(TimePoint now) {
  while (due() <= now) {
    if (step_ != Step::none) {
      repeat(now);
    } else if (connect_at_ <= now) {
      begin_connect(now);
    } else {
      begin(Step::ping, {.type = Type::pingreq}, now);
    }
  }
  return std::min(due(), now + kFar);
}

std::uint16_t ClientCore::next_message_id() {
  if (++last_message_id_ == 0) last_message_id_ = 1;
  return last_message_id_;
}

std::pair<TopicKind, std::uint16_t> ClientCore::topic_id(const std::string& topic) const {
  for (const auto& [id, name] : options_.predefined)
    if (name == topic) return {TopicKind::predefined, id};
  if (topic.size() == 2) return {TopicKind::short_name, short_topic_id(topic[0], topic[1])};
  const auto known = ids_.find(topic);
  return {TopicKind::normal, known == ids_.end() ? std::uint16_t{0} : known->second};
}

void ClientCore::learn(std::uint16_t id, const std::string& name) {
  if (id == 0 || id == 0xFFFF) return;  // reserved (section 5.3.11)
  auto& slot = names_[id];
  if (const auto old = ids_.find(slot); old != ids_.end() && old->second == id) ids_.erase(old);
  slot = name;
  ids_[name] = id;
}

}  // namespace aiot::mqttsn
