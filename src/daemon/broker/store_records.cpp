#include "daemon/broker/store_records.h"

#include <algorithm>
#include <utility>

namespace aiot::broker {
namespace {

store::ValueView view_of(const Resource& value) {
  return {value.name, value.bytes, value.time, value.content_format, value.raw_json, value.time_uncertain};
}

store::NodeRecord record_of(const Node& node) {
  store::NodeRecord out;
  out.uid = node.uid;
  out.protocol = node.protocol;
  out.address = node.address;
  out.address_kind = static_cast<std::uint8_t>(node.address_kind);
  out.gateway = node.owner->name;
  out.state = node.state;
  out.hidden = node.hidden;
  out.first_seen = node.first_seen;
  out.last_seen = node.last_seen;
  out.resets = node.resets;
  out.timeouts = node.timeouts;
  out.rejected_writes = node.rejected_writes;
  out.labels = node.labels;
  return out;
}

AddressKind kind_of(std::uint8_t kind) {
  return kind > static_cast<std::uint8_t>(AddressKind::id) ? AddressKind::none
                                                           : static_cast<AddressKind>(kind);
}

}  // namespace

void StoreRecords::restore(store::Restored restored) {
  for (auto& kept : restored.gateways) {
    GatewayRecord& gateway = table_.gateway(kept.name);
    gateway.site = std::move(kept.site);
    gateway.stream = std::move(kept.stream);
    gateway.software = std::move(kept.software);
    gateway.native = kept.native;
    gateway.last_seen = kept.last_seen;
  }
  for (auto& kept : restored.nodes) {
    auto& record = kept.record;
    if (table_.find(record.uid) != nullptr) continue;
    Node* node = table_.create(record.uid, table_.gateway(record.gateway));
    if (node == nullptr) break;  // the table was smaller once
    node->protocol = std::move(record.protocol);
    node->address = std::move(record.address);
    node->address_kind = kind_of(record.address_kind);
    node->state = record.state == NodeState::out ? NodeState::out : NodeState::stale;
    node->noted_out = node->state == NodeState::out;
    node->hidden = record.hidden;
    node->first_seen = record.first_seen;
    node->last_seen = record.last_seen;
    node->resets = record.resets;
    node->timeouts = record.timeouts;
    node->rejected_writes = record.rejected_writes;
    node->labels = std::move(record.labels);
    std::sort(node->labels.begin(), node->labels.end());
    for (auto& value : kept.values) {
      node->last_seen = std::max(node->last_seen, value.time);
      Resource* stored = nullptr;
      table_.set(*node,
                 Resource{std::move(value.resource), std::move(value.bytes), value.time, value.content_format,
                          value.raw_json, value.time_uncertain},
                 stored);
    }
  }
}

void StoreRecords::update(const Node& node, const Resource& value) {
  if (store_ != nullptr) store_->update(node.uid, view_of(value));
}

void StoreRecords::past_update(const Node& node, const Update& update, bool raw_json) {
  if (store_ == nullptr) return;
  store_->update(node.uid, {update.resource, update.bytes, update.time, update.content_format, raw_json,
                            update.time_uncertain});
}

void StoreRecords::last_value(const Node& node, const Resource& value) {
  if (store_ != nullptr) store_->last_value(node.uid, view_of(value));
}

void StoreRecords::changed(const Node& node) {
  if (store_ == nullptr) return;
  changed_.insert(node.uid);
  if (std::exchange(posted_, true)) return;
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (!alive.expired()) flush();
  });
}

void StoreRecords::flush() {
  posted_ = false;
  for (const auto& uid : std::exchange(changed_, {}))
    if (const Node* node = table_.find(uid); node != nullptr) store_->node(record_of(*node));
}

void StoreRecords::forgotten(std::string_view uid) {
  if (store_ == nullptr) return;
  changed_.erase(std::string(uid));
  store_->forget(uid);
}

void StoreRecords::gateway(const GatewayRecord& gateway) {
  if (store_ == nullptr) return;
  store::GatewayRecord kept;
  kept.name = gateway.name;
  kept.site = gateway.site;
  kept.stream = gateway.stream;
  kept.software = gateway.software;
  kept.native = gateway.native;
  kept.last_seen = gateway.last_seen;
  store_->gateway(kept);
}

void StoreRecords::event(const Event& event) {
  // What is everyday is not worth a line.
  const bool everyday = event.type == "joined" || event.type == "out" || event.type == "reset" ||
                        event.type == "write" || event.type == "gateway_up";
  if (!everyday && limiter_.allow()) log::warn("{}: {}", event.type, event.message);
  store::Event kept;
  kept.time = event.time == WallTime{} ? loop_.wall_now() : event.time;
  kept.type = event.type;
  kept.gateway = event.gateway;
  kept.uid = event.uid;
  kept.message = event.message;
  kept.data = event.data;
  if (store_ != nullptr) kept.id = store_->event(kept);
  telling_ = true;  // one that is told may leave, or have others leave
  for (std::size_t i = 0; i < followers_.size(); ++i)
    if (followers_[i] != nullptr) followers_[i]->happened(kept);
  telling_ = false;
  std::erase(followers_, nullptr);
}

void StoreRecords::unfollow(Follower& follower) {
  std::replace(followers_.begin(), followers_.end(), &follower, static_cast<Follower*>(nullptr));
  if (!telling_) std::erase(followers_, nullptr);
}

}  // namespace aiot::broker
