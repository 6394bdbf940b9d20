#include "daemon/gateway/outbox.h"

#include <algorithm>

namespace aiot::gateway {

namespace {
constexpr std::size_t kLiveItems = 1000;  ///< in one message
}

void Outbox::update(Node& node, Resource& resource) {
  ++counters_.sent;
  if (node.refused) {
    ++counters_.refused;
    ++counters_.dropped;
    return;
  }
  const bool was_direct = direct();
  const bool kept = journal_.append(
      {node.uid, resource.name, resource.bytes, resource.content_format, resource.time, false});
  if (kept && was_direct) return;
  if (state_ == State::away) return;  // the next snapshot has it
  fall_behind(kept);
  show(node, resource);
}

/// From the item just handed over on, what happens is shown ahead of its number.
void Outbox::fall_behind(bool kept) {
  if (state_ == State::flowing && show_until_ == kAlways)
    show_until_ = journal_.next_number() - (kept ? 1 : 0);
}

void Outbox::show(Node& node, Resource& resource) {
  if (resource.to_show) {
    ++counters_.conflated;
    return;
  }
  resource.to_show = true;
  values_.emplace_back(node.uid, resource.name);
}

void Outbox::item(wire::Item item) {
  ++counters_.sent;
  const bool was_direct = direct();
  const bool kept = journal_.append(item);
  if ((kept && was_direct) || state_ == State::away || std::holds_alternative<wire::Notice>(item)) return;
  fall_behind(kept);
  if (events_.size() >= limits_.events) {
    overflowed_ = true;
    return;
  }
  if (state_ == State::syncing) {
    // The snapshot under way leaves this node out; what happened to it follows, with all its values.
    if (const auto* out = std::get_if<wire::NodeOut>(&item)) changed_meanwhile_.insert(out->uid);
    if (const auto* joined = std::get_if<wire::NodeJoined>(&item)) {
      changed_meanwhile_.insert(joined->uid);
      if (Node* node = table_.find(joined->uid); node != nullptr)
        for (auto& resource : node->resources) show(*node, resource);
    }
  }
  events_.push_back(std::move(item));
}

std::string Outbox::take() {
  switch (state_) {
    case State::away: return {};
    case State::syncing: return next_snapshot();
    case State::switching: return take_live();
    case State::flowing: break;
  }
  // What is shown ahead must not be overtaken by what is older and counts as now.
  const bool may_show = next_ >= show_until_;
  if (may_show && live_first_) {
    if (auto live = take_live(); !live.empty()) {
      live_first_ = false;  // replay and news take turns
      return live;
    }
  }
  live_first_ = true;
  auto message = take_numbered();
  if (!message.empty() || !may_show) return message;
  return take_live();
}

std::string Outbox::take_live() {
  if (!replays_) {  // it will hear by number
    for (const auto& [uid, name] : std::exchange(values_, {}))
      if (Node* node = table_.find(uid); node != nullptr)
        if (Resource* resource = node->find(name); resource != nullptr) resource->to_show = false;
    events_.clear();
    return {};
  }
  std::string items;
  std::size_t count = 0;
  const auto room = [&] { return count < kLiveItems && items.size() < limits_.message_bytes; };
  for (; room() && !events_.empty(); ++count) {
    if (count > 0) items += ',';
    wire::append_item(items, events_.front());
    events_.pop_front();
  }
  while (room() && events_.empty() && !values_.empty()) {
    const auto [uid, name] = std::move(values_.front());
    values_.pop_front();
    Node* node = table_.find(uid);
    Resource* resource = node != nullptr ? node->find(name) : nullptr;
    if (resource == nullptr || !resource->to_show) continue;
    resource->to_show = false;
    if (node->refused) continue;
    if (count++ > 0) items += ',';
    wire::append_update(items, {uid, name, resource->bytes, resource->content_format, resource->time, false});
  }
  if (count == 0) return {};
  counters_.shown += count;
  return wire::format_live(items);
}

std::string Outbox::take_numbered() {
  const auto end = journal_.end(stream_.id);
  if (next_ >= end && in_flight_ == 0 && !stream_.current) {
    journal_.acknowledged(stream_.id, end);
    const auto next = journal_.oldest();
    if (!replays_) {
      wants_redial_ = true;
      return {};
    }
    state_ = State::switching;
    stream_ = next;
    return wire::format_message(wire::NextStream{next.id, next.earlier});
  }
  if (next_ < end && in_flight_ < window_) {
    auto most = std::min<std::uint64_t>(window_ - in_flight_, wire::kMaxBatchItems);
    const bool replay = next_ >= show_until_;
    if (!replay) most = std::min(most, show_until_ - next_);
    Chunk chunk;
    for (auto before = next_ - 1; chunk.count == 0 && before != next_;) {
      before = next_;  // a read moves on when something is lost
      chunk = journal_.read(stream_.id, next_, most);
    }
    if (chunk.count > 0) {
      next_ = chunk.first + chunk.count;
      sent_.emplace_back(next_ - 1, chunk.count);
      in_flight_ += chunk.count;
      return wire::format_batch(chunk.first, replay && replays_, chunk.items);
    }
  }
  if (stream_.current && next_ >= journal_.end(stream_.id) && events_.empty() && values_.empty())
    show_until_ = kAlways;  // it has caught up
  return {};
}

Journal::Stream Outbox::next_stream() {
  stream_ = journal_.oldest();
  return stream_;
}

void Outbox::start_stream(std::uint64_t acknowledged) {
  journal_.acknowledged(stream_.id, acknowledged);
  stream_.current = stream_.id == journal_.stream();
  next_ = std::min(acknowledged, std::max<std::uint64_t>(journal_.end(stream_.id), 1) - 1) + 1;
  sent_.clear();
  in_flight_ = 0;
}

void Outbox::opened(std::uint64_t acknowledged, std::uint32_t window, bool replays) {
  start_stream(acknowledged);
  window_ = std::max<std::uint32_t>(window, 1);
  replays_ = replays;
  show_until_ = replays ? 0 : kAlways;
  state_ = State::syncing;
  overflowed_ = wants_redial_ = false;
  snapshot_uids_ = table_.uids(true);
  snapshot_next_ = 0;
  changed_meanwhile_.clear();
  ++counters_.connects;
  counters_.connected = true;
}

void Outbox::resumed(const std::string& stream, std::uint64_t acknowledged) {
  if (state_ != State::switching || stream != stream_.id) return;
  start_stream(acknowledged);
  show_until_ = 0;
  state_ = State::flowing;
}

void Outbox::lost() {
  counters_.connected = false;
  if (state_ == State::away) return;
  state_ = State::away;
  sent_.clear();
  in_flight_ = 0;
  events_.clear();
  for (const auto& [uid, name] : std::exchange(values_, {}))
    if (Node* node = table_.find(uid); node != nullptr)
      if (Resource* resource = node->find(name); resource != nullptr) resource->to_show = false;
  snapshot_uids_.clear();
}

void Outbox::acknowledged(std::uint64_t sequence) {
  if (state_ == State::away || state_ == State::switching) return;
  while (!sent_.empty()) {
    auto& [last, count] = sent_.front();
    const std::uint64_t before = last - count;  // the number before its first
    if (sequence <= before) break;
    const auto taken = std::min(last, sequence) - before;
    in_flight_ -= taken;
    count -= taken;
    if (count > 0) break;
    sent_.pop_front();
  }
  journal_.acknowledged(stream_.id, std::min(sequence, next_ - 1));
}

wire::NodeSnapshot Outbox::snapshot_of(Node& node) {
  wire::NodeSnapshot out;
  out.uid = node.uid;
  out.protocol = to_string(node.protocol);
  out.address = node.place();
  out.first_seen = node.first_seen;
  out.last_seen = node.last_seen_wall;
  out.values.reserve(node.resources.size());
  std::size_t bytes = 0;
  for (auto& resource : node.resources) {
    bytes += resource.bytes.size() + resource.name.size();
    if (bytes > limits_.node_bytes) {
      show(node, resource);
      continue;
    }
    auto& value = out.values.emplace_back();
    value.resource = resource.name;
    value.bytes = resource.bytes;
    value.content_format = resource.content_format;
    value.time = resource.time;
  }
  return out;
}

std::string Outbox::next_snapshot() {
  constexpr std::size_t kNodesInMessage = 1000, kNodeOverhead = 160, kValueOverhead = 60;
  wire::Sync sync;
  std::size_t bytes = 0;
  while (snapshot_next_ < snapshot_uids_.size() && sync.nodes.size() < kNodesInMessage &&
         bytes < limits_.message_bytes) {
    const auto& uid = snapshot_uids_[snapshot_next_++];
    Node* node = table_.find(uid);
    if (node == nullptr || !node->live || changed_meanwhile_.contains(uid)) continue;
    node->refused = false;  // the broker decides anew
    const auto& added = sync.nodes.emplace_back(snapshot_of(*node));
    bytes += kNodeOverhead;
    for (const auto& value : added.values)
      bytes += kValueOverhead + value.resource.size() + value.bytes.size();
  }
  sync.last = snapshot_next_ >= snapshot_uids_.size();
  if (sync.last) {
    state_ = State::flowing;
    snapshot_uids_.clear();
    changed_meanwhile_.clear();
  }
  return wire::format_message(sync);
}

UplinkCounters Outbox::counters() const {
  UplinkCounters out = counters_;
  const auto journal = journal_.counters();
  out.restored = journal.restored;
  out.acknowledged = journal.acknowledged;
  out.queued = journal.unacknowledged;
  out.dropped += journal.dropped_full + journal.dropped_disk + journal.dropped_damaged;
  return out;
}

}  // namespace aiot::gateway
