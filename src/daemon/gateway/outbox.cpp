#include "daemon/gateway/outbox.h"

#include <algorithm>

namespace aiot::gateway {

void Outbox::update(Node& node, Resource& resource) {
  ++counters_.sent;
  if (node.refused) {
    ++counters_.dropped;
  } else if (flows()) {
    write(node, resource);
    written();
  } else {
    hold(node, resource, state_ == State::away ? Held::away : Held::queued);
  }
}

void Outbox::write(const Node& node, const Resource& resource) {
  auto& update = *std::get_if<Update>(&scratch_);
  update.uid = node.uid;
  update.resource = resource.name;
  update.bytes = resource.bytes;
  update.content_format = resource.content_format;
  update.time = resource.time;
  writer_.add(scratch_);
}

void Outbox::hold(Node& node, Resource& resource, Held how) {
  if (resource.held != Held::no) {
    ++counters_.conflated;
    return;
  }
  resource.held = how;
  if (how == Held::away) {
    ++held_away_;
  } else {
    values_.emplace_back(node.uid, resource.name);
  }
}

void Outbox::item(wire::Item item) {
  ++counters_.sent;
  if (flows()) {
    writer_.add(item);
    written();
    return;
  }
  const bool is_notice = std::holds_alternative<wire::Notice>(item);
  if (state_ == State::away) {
    if (!is_notice) {
      ++in_doubt_;
    } else if (notices_.size() < limits_.notices) {
      notices_.push_back(std::move(item));
    } else {
      ++counters_.dropped;
    }
    return;
  }
  if (events_.size() >= limits_.events) {
    overflowed_ = true;
    ++in_doubt_;
    return;
  }
  if (state_ == State::syncing) {
    // The snapshot under way leaves this node out; what happened to it follows, with all its values.
    if (const auto* out = std::get_if<wire::NodeOut>(&item)) changed_meanwhile_.insert(out->uid);
    if (const auto* joined = std::get_if<wire::NodeJoined>(&item)) {
      changed_meanwhile_.insert(joined->uid);
      if (Node* node = table_.find(joined->uid); node != nullptr) {
        for (auto& resource : node->resources) {
          if (resource.held == Held::queued) continue;
          if (resource.held == Held::away) {
            --held_away_;
          } else {
            ++counters_.sent;
          }
          resource.held = Held::no;
          hold(*node, resource, Held::queued);
        }
      }
    }
  }
  events_.push_back(std::move(item));
}

void Outbox::written() {
  if (writer_.items() >= wire::kMaxBatchItems || writer_.bytes() >= limits_.message_bytes)
    ready_.push_back(cut());
}

std::string Outbox::cut() {
  const auto items = writer_.items();
  auto message = writer_.take(next_);
  next_ += items;
  return message;
}

std::string Outbox::take() {
  if (state_ == State::away) return {};
  if (!ready_.empty()) {
    auto message = std::move(ready_.front());
    ready_.pop_front();
    return message;
  }
  if (state_ == State::syncing) return next_snapshot();
  drain();
  if (!ready_.empty()) return take();
  return writer_.items() > 0 ? cut() : std::string();
}

void Outbox::drain() {
  while (ready_.empty() && window_left() > 0 && !events_.empty()) {
    writer_.add(events_.front());
    events_.pop_front();
    written();
  }
  while (ready_.empty() && window_left() > 0 && events_.empty() && !values_.empty()) {
    const auto [uid, name] = std::move(values_.front());
    values_.pop_front();
    Node* node = table_.find(uid);
    Resource* resource = node != nullptr ? node->find(name) : nullptr;
    if (resource == nullptr || node->refused) {
      if (resource != nullptr) resource->held = Held::no;
      ++counters_.dropped;
    } else if (resource->held == Held::no) {
      ++counters_.snapshot;  // a snapshot has carried it meanwhile
    } else {
      resource->held = Held::no;
      write(*node, *resource);
      written();
    }
  }
}

void Outbox::opened(std::uint64_t acknowledged, std::uint32_t window) {
  // What the old connection left unacknowledged is stored or it is not; the broker knows.
  const auto last_sent = next_ - 1;
  const auto stored = std::clamp(acknowledged, acknowledged_, last_sent);
  counters_.acknowledged += stored - acknowledged_;
  counters_.snapshot += last_sent - stored + in_doubt_;
  in_doubt_ = 0;
  acknowledged_ = acknowledged;
  next_ = acknowledged + 1;
  window_ = std::max<std::uint32_t>(window, 1);
  state_ = State::syncing;
  overflowed_ = false;
  snapshot_uids_ = table_.uids(true);
  snapshot_next_ = 0;
  changed_meanwhile_.clear();
  events_ = std::exchange(notices_, {});
  ++counters_.connects;
  counters_.connected = true;
}

void Outbox::lost() {
  counters_.connected = false;
  if (state_ == State::away) return;
  state_ = State::away;
  in_doubt_ += writer_.items();
  if (writer_.items() > 0) (void)writer_.take(next_);
  // Messages that never left carry numbers that the broker has not seen: opened() settles them.
  ready_.clear();
  for (auto& event : events_) {
    if (std::holds_alternative<wire::Notice>(event) && notices_.size() < limits_.notices) {
      notices_.push_back(std::move(event));
    } else {
      ++in_doubt_;
    }
  }
  events_.clear();
  for (const auto& [uid, name] : values_) {
    Node* node = table_.find(uid);
    Resource* resource = node != nullptr ? node->find(name) : nullptr;
    if (resource != nullptr && resource->held == Held::queued) {
      resource->held = Held::away;
      ++held_away_;
    } else {
      ++in_doubt_;
    }
  }
  values_.clear();
  snapshot_uids_.clear();
}

void Outbox::acknowledged(std::uint64_t sequence) {
  if (sequence <= acknowledged_) return;
  sequence = std::min(sequence, next_ - 1);
  counters_.acknowledged += sequence - acknowledged_;
  acknowledged_ = sequence;
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
      if (resource.held == Held::queued) continue;
      resource.held == Held::away ? --held_away_ : ++counters_.sent;
      resource.held = Held::no;
      hold(node, resource, Held::queued);
      continue;
    }
    if (resource.held == Held::away) {
      --held_away_;
      ++counters_.snapshot;
    }
    resource.held = Held::no;
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
    counters_.dropped += held_away_;  // their nodes went out meanwhile
    held_away_ = 0;
    snapshot_uids_.clear();
    changed_meanwhile_.clear();
  }
  return wire::format_message(sync);
}

UplinkCounters Outbox::counters() const {
  UplinkCounters out = counters_;
  out.queued = in_flight() + writer_.items() + held_away_ + in_doubt_ + events_.size() + values_.size() +
               notices_.size();
  return out;
}

}  // namespace aiot::gateway
