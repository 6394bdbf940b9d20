#include "daemon/gateway/message_nodes.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/text.h"
#include "core/codec/quantity.h"
#include "core/model/identity.h"
#include "daemon/gateway/identity.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {

/// For each protocol; then all are forgotten.
constexpr std::size_t kMaxKnownUids = 200'000;

/// The node reported what was written: the same text, or the same number ("1" and 1.0).
bool is_echo(std::string_view written, std::string_view reported) {
  if (written == reported) return true;
  const auto a = parse_quantity(written), b = parse_quantity(reported);
  return a && b && a->number == b->number && a->unit == b->unit;
}

std::string shown(std::string_view name) { return text::escape_controls(name.substr(0, 80)); }

}  // namespace

Error MessageNodes::refuse(Drop reason, std::string message) {
  core_.counters.drop(reason);
  return make_error(Errc::rejected, std::move(message));
}

const std::string& MessageNodes::uid_of(Protocol protocol, std::string_view id) {
  auto& known = uids_.at(static_cast<std::size_t>(protocol));
  std::string key(id);
  if (const auto at = known.find(key); at != known.end()) return at->second;
  if (known.size() >= kMaxKnownUids) known.clear();
  auto uid = make_uid(policy_.options_.site, to_string(protocol), id);
  return known.emplace(std::move(key), std::move(uid)).first->second;
}

Result<Node*> MessageNodes::heard(const NodeSource& from, bool brings_value, const Now& now) {
  ++core_.counters.received;
  if (!is_node_id(from.id))
    return refuse(
        Drop::bad_uid,
        fmt::format("node id '{}': it must be 1 to 64 printable characters without '/', '+' and '#'",
                    shown(from.id)));
  if (from.may_be_echo) {
    const Node* same = core_.table.find(uid_of(Protocol::mqttsn, from.id));
    if (same != nullptr && same->live) return nullptr;
  }
  const auto& uid = uid_of(from.protocol, from.id);
  Node* node = core_.table.find(uid);
  if (node == nullptr) {
    node = core_.table.add(uid, policy_.lifetime_of(uid));
    if (node == nullptr) return refuse(Drop::table_full, "this gateway has all the nodes it can hold");
    node->protocol = from.protocol;
    node->id = from.id;
  } else if (node->protocol != from.protocol) {
    return refuse(Drop::uid_conflict,
                  fmt::format("the uid '{}' of node '{}' is another node's", uid, from.id));
  } else if (node->credential != from.credential &&
             policy_.claims_.is_foreign(*node, {from.address, {}, {}, std::string(from.credential)}, now)) {
    return make_error(Errc::rejected, fmt::format("node id '{}' belongs to who has its credential", from.id));
  } else if (from.credential.empty() && policy_.is_stranger(*node, from.address, now)) {
    return refuse(Drop::uid_conflict, fmt::format("node id '{}' belongs to another address", from.id));
  } else if (from.retained) {
    return node->live ? node : nullptr;
  }
  if (!from.address.empty()) node->address = from.address;
  if (!from.credential.empty()) node->credential = from.credential;
  if (brings_value) {
    policy_.seen(*node, now);
  } else {
    policy_.still_there(*node, now);
  }
  return node;
}

Result<void> MessageNodes::alive(const NodeSource& from, const Now& now) {
  auto node = heard(from, false, now);
  if (!node) return node.error();
  return {};
}

Result<void> MessageNodes::listed(const NodeSource& from, const Now& now) {
  auto node = heard(from, false, now);
  if (!node) return node.error();
  if (*node != nullptr && !from.retained)
    static_cast<void>(core_.effects.tell(**node, {NodeMessage::Kind::values, 0, {}, {}, Duration(0)}));
  return {};
}

Result<void> MessageNodes::value(const NodeSource& from, std::string_view resource, std::string_view bytes,
                                 std::optional<std::uint16_t> content_format, const Now& now) {
  auto heard_from = heard(from, true, now);
  if (!heard_from) return heard_from.error();
  if (*heard_from == nullptr) return {};
  Node& node = **heard_from;
  if (!is_resource_name(resource) || is_identity(resource))
    return refuse(Drop::bad_name, fmt::format("resource '{}' of node '{}' is not a name that can be kept",
                                              shown(resource), node.id));
  if (bytes.size() > kMaxValue)
    return refuse(Drop::too_long, fmt::format("value of '{}' of node '{}': {} bytes, at most {}",
                                              shown(resource), node.id, bytes.size(), kMaxValue));
  const Resource* before = node.find(resource);
  if (from.retained && before != nullptr && before->bytes == bytes) return {};
  if (!node.rate.take(policy_.options_.node_rate, now.mono))
    return refuse(Drop::too_fast, fmt::format("node '{}' sends more than {:.0f} updates a second", node.id,
                                              policy_.options_.node_rate.per_second));
  if (!policy_.set_value(node, resource, bytes, content_format, now)) {
    if (before != nullptr || node.resources.size() < kMaxNodeResources)
      return refuse(Drop::table_full, "this gateway has all the values it can hold");
    return refuse(Drop::too_many_resources,
                  fmt::format("node '{}' has more than {} resources", node.id, kMaxNodeResources));
  }
  if (node.pending_writes > 0) reported(node, *node.find(resource), now);
  return {};
}

void MessageNodes::gone(Protocol protocol, std::string_view id, const Now& now) {
  Node* node = core_.table.find(uid_of(protocol, id));
  if (node == nullptr) return;
  for (bool found = node->pending_writes > 0; found;) {
    const auto at = std::find_if(pending_.begin(), pending_.end(),
                                 [&](const auto& entry) { return entry.second.ask.uid == node->uid; });
    found = at != pending_.end();
    if (found) tell_failed(at->first, make_error(Errc::unreachable, "the node has gone"));
  }
  if (node->live) policy_.take_out(*node, now);
}

void MessageNodes::set_lifetime(Protocol protocol, std::string_view id, Duration lifetime) {
  Node* node = core_.table.find(uid_of(protocol, id));
  if (node == nullptr) return;
  node->agreed_silence = lifetime;
  core_.table.set_lifetime(*node, lifetime > Duration(0) ? lifetime : policy_.lifetime_of(node->uid));
}

void MessageNodes::ask(Node& node, const wire::Ask& ask, const Now& now) {
  const bool is_read = ask.method == Method::get;
  const auto fail = [&](Errc code, std::string why) {
    Error error = make_error(code, std::move(why));
    error.outcome = Outcome::not_sent;
    policy_.requests_.fail(ask, std::move(error));
  };
  if (!is_read && ask.method != Method::put)
    return fail(Errc::usage, fmt::format("{} is not possible: node '{}' speaks {}", to_string(ask.method),
                                         node.uid, to_string(node.protocol)));
  if (pending_.size() >= kMaxRequests)
    return fail(Errc::unreachable, fmt::format("the gateway has {} requests under way", kMaxRequests));
  const Ticket ticket = core_.next_ticket();
  const auto told = core_.effects.tell(node, {is_read ? NodeMessage::Kind::values : NodeMessage::Kind::write,
                                              ticket, ask.resource, ask.payload, ask.deadline});
  if (!told) return fail(told.error().code, told.error().message);
  const TimePoint due = now.mono + ask.deadline;
  pending_.emplace(ticket, Pending{ask, now.mono, due});
  due_.emplace(due, ticket);
  ++node.pending_writes;
}

MessageNodes::Pending MessageNodes::take(Ticket ticket) {
  auto pending = std::move(pending_.extract(ticket).mapped());
  due_.erase({pending.due, ticket});
  if (Node* node = core_.table.find(pending.ask.uid); node != nullptr && node->pending_writes > 0)
    --node->pending_writes;
  return pending;
}

void MessageNodes::reported(Node& node, const Resource& resource, const Now& now) {
  std::vector<Ticket> settled;
  for (const auto& [ticket, pending] : pending_) {
    const auto& ask = pending.ask;
    if (ask.uid != node.uid || ask.resource != resource.name) continue;
    if (ask.method == Method::get || is_echo(ask.payload, resource.bytes)) settled.push_back(ticket);
  }
  std::sort(settled.begin(), settled.end());
  for (const Ticket ticket : settled) {
    const auto pending = take(ticket);
    wire::Answer answer;
    answer.id = pending.ask.id;
    answer.payload = resource.bytes;
    answer.content_format = resource.content_format;
    if (pending.ask.method != Method::get) answer.confirmed = "echo";
    answer.rtt = Duration(now.mono - pending.asked);
    core_.effects.answer(std::move(answer));
  }
}

void MessageNodes::tell_failed(Ticket ticket, Error error) {
  if (!pending_.contains(ticket)) return;
  const auto pending = take(ticket);
  if (error.outcome == Outcome::none) error.outcome = Outcome::unknown;
  policy_.requests_.fail(pending.ask, std::move(error));
}

void MessageNodes::tick(const Now& now) {
  while (!due_.empty() && due_.begin()->first <= now.mono) {
    const auto& ask = pending_.at(due_.begin()->second).ask;
    tell_failed(due_.begin()->second,
                make_error(Errc::timeout,
                           fmt::format("node '{}' did not report '{}' in time", ask.uid, ask.resource)));
  }
}

}  // namespace aiot::gateway
