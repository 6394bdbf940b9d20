#include "daemon/gateway/policy.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/base/text.h"
#include "daemon/gateway/identity.h"

namespace aiot::gateway {

namespace {

/// A node that the broker refused is offered again after so long: its other gateway may have fallen silent
/// on it, of which the broker tells nobody.
constexpr Duration kOfferAgain = std::chrono::seconds(30);
/// A node that only says alive is told to the broker so often: one silent for 60 s may be handed over.
constexpr Duration kTellAlive = std::chrono::seconds(20);
constexpr std::size_t kOutPerTick = 5000;

}  // namespace

coap::ServerReply received(std::string_view payload) {
  coap::ServerReply reply;
  reply.code = coap::code(2, 4);
  reply.payload.reserve(payload.size() + 12);
  reply.payload.append("Received '").append(payload).push_back('\'');
  return reply;
}

coap::ServerReply refuse(std::uint8_t code, std::string diagnostic) {
  coap::ServerReply reply;
  reply.code = code;
  reply.payload = std::move(diagnostic);
  return reply;
}

Policy::Policy(PolicyOptions options, Effects& effects)
    : options_(std::move(options)),
      table_(options_.limits),
      core_{table_, effects, counters_},
      discovery_(core_, *this),
      requests_(core_, *this),
      claims_(core_, *this),
      directory_(core_, *this),
      named_(core_, *this),
      messages_(core_, *this) {}

Duration Policy::lifetime_of(std::string_view uid) const {
  for (const auto& [pattern, time] : options_.max_time_for)
    if (text::glob_match(pattern, uid)) return time;
  return options_.max_time;
}

const NodeCounters& Policy::counters() {
  counters_.nodes_live = table_.live();
  counters_.nodes_out = table_.out();
  return counters_;
}

coap::ServerReply Policy::enroll(const std::vector<std::string_view>& query, std::string_view links,
                                 const coap::Peer& peer, const Now& now) {
  ++counters_.received;
  return directory_.enroll(query, links, peer, now);
}

coap::ServerReply Policy::enroll_simple(const std::vector<std::string_view>& query, const coap::Peer& peer,
                                        const Now& now) {
  ++counters_.received;
  return directory_.enroll_simple(query, peer, now);
}

coap::ServerReply Policy::renew(std::string_view id, const std::vector<std::string_view>& query,
                                const coap::Peer& peer, const Now& now) {
  ++counters_.received;
  return directory_.renew(id, query, peer, now);
}

coap::ServerReply Policy::withdraw(std::string_view id, const Now& now) {
  ++counters_.received;
  return directory_.withdraw(id, now);
}

coap::ServerReply Policy::look_up(const std::vector<std::string_view>& query, bool endpoints) const {
  return directory_.look_up(query, endpoints);
}

void Policy::responded(Ticket ticket, Result<Response> result, const Now& now) {
  if (discovery_.responded(ticket, result, now)) return;
  if (requests_.responded(ticket, result, now)) return;
  claims_.responded(ticket, result, now);
}

void Policy::notified(Ticket ticket, const Response& response, const Now& now) {
  discovery_.notified(ticket, response, now);
}

void Policy::ask(const wire::Ask& ask, const Now& now) { requests_.ask(ask, now); }

void Policy::refused(std::string_view uid, std::string_view reason, const Now& now) {
  Node* node = table_.find(uid);
  if (node == nullptr) return;
  if (refusals_.allow()) log::warn("node '{}': the broker has it from another gateway: {}", uid, reason);
  node->refused = true;
  node->refused_at = now.mono;
}

void Policy::freed(std::string_view uid, const Now& now) {
  if (Node* node = table_.find(uid); node != nullptr && node->live) announce(*node, true, now);
}

void Policy::name(const std::string& id, const SocketAddress& address, const Now& now) {
  named_.add(make_uid(options_.site, "CoAP", id), address, now);
}

bool Policy::is_named_live(const std::string& id) {
  const Node* node = table_.find(make_uid(options_.site, "CoAP", id));
  return node != nullptr && node->live;
}

void Policy::join(Node& node, const Now& now) {
  table_.touch(node, now);
  table_.revive(node);
  if (node.first_seen == WallTime{}) node.first_seen = now.wall;
  node.attempts = 0;
  announce(node, false, now);
  core_.effects.changed(node);
  if (node.discovery != Node::Discovery::running) discover(node);
}

void Policy::discover(Node& node) {
  if (node.protocol == Protocol::coap) return discovery_.start(node);
  node.discovery = Node::Discovery::done;
  // A node that cannot be told now says what it has by itself sooner or later.
  static_cast<void>(core_.effects.tell(node, {NodeMessage::Kind::resources, 0, {}, {}, Duration(0)}));
}

void Policy::seen(Node& node, const Now& now) {
  if (!node.live) {
    join(node, now);
    return;
  }
  table_.touch(node, now);
  if (node.refused && now.mono - node.refused_at >= kOfferAgain) announce(node, true, now);
  discovery_.sign_of_life(node, now);
  claims_.contradicted(node, now);
}

void Policy::still_there(Node& node, const Now& now) {
  seen(node, now);
  if (!node.refused && now.mono - node.told >= kTellAlive) announce(node, false, now);
}

void Policy::announce(Node& node, bool with_values, const Now& now) {
  node.refused = false;
  node.told = now.mono;
  core_.effects.item(
      wire::NodeJoined{node.uid, std::string(to_string(node.protocol)), node.place(), now.wall});
  if (!with_values) return;
  for (auto& resource : node.resources) core_.effects.update(node, resource);
}

void Policy::reset(Node& node, const Now& now) {
  node.told = now.mono;
  core_.effects.item(wire::NodeReset{node.uid, "CoAP", node.address.host(), now.wall});
  node.attempts = 0;
  discovery_.start(node);
}

bool Policy::is_stranger(const Node& node, const SocketAddress& address, const Now& now) {
  // A credential proves more than an address does.
  const bool strange = options_.trust_first_use && node.credential.empty() && !node.named &&
                       !node.address.empty() && !address.empty() &&
                       !NodeTable::same_host(node.address, address);
  if (strange) claims_.refuse_stranger(node, address, now);
  return strange;
}

void Policy::move(Node& node, const coap::Peer& peer, bool was_reset, const Now& now) {
  claims_.drop(node.uid);
  discovery_.stop(node);
  if (node.registration) directory_.ended(node);
  const std::string before = node.address.host();
  table_.place(node, peer.address);
  node.local = peer.local;
  node.credential = peer.credential;
  node.server_port = 5683;
  if (!node.live) {
    join(node, now);
    return;
  }
  if (moves_.allow()) log::info("node '{}' moved from {} to {}", node.uid, before, node.address.host());
  table_.touch(node, now);
  core_.effects.changed(node);
  if (was_reset) {
    reset(node, now);
    return;
  }
  announce(node, node.refused, now);
  node.attempts = 0;
  discovery_.start(node);
}

void Policy::take_out(Node& node, const Now& now) {
  claims_.drop(node.uid);
  discovery_.stop(node);
  if (node.registration) directory_.ended(node);
  core_.effects.item(wire::NodeOut{node.uid, now.wall});
  for (const auto& resource : node.resources) account(resource.bytes.size(), 0);
  std::vector<Resource>().swap(node.resources);
  table_.retire(node);  // it may forget nodes, though not this one
  core_.effects.changed(node);
}

bool Policy::set_value(Node& node, std::string_view resource, std::string_view bytes,
                       std::optional<std::uint16_t> content_format, const Now& now) {
  Resource* slot = node.find(resource);
  if (slot == nullptr ? node.resources.size() >= kMaxNodeResources || !account(0, bytes.size())
                      : !account(slot->bytes.size(), bytes.size()))
    return false;
  if (slot == nullptr) {
    slot = &node.resources.emplace_back();
    slot->name = resource;
  }
  slot->bytes = bytes;
  slot->content_format = content_format;
  slot->time = now.wall;
  node.told = now.mono;
  ++counters_.updates;
  ++counters_.updates_of[static_cast<std::size_t>(node.protocol)];
  core_.effects.update(node, *slot);
  return true;
}

bool Policy::account(std::size_t before, std::size_t after) {
  if (after > before && kept_bytes_ + (after - before) > options_.value_bytes) return false;
  kept_bytes_ = kept_bytes_ - before + after;
  return true;
}

Duration Policy::tick(const Now& now) {
  for (std::size_t i = 0; i < kOutPerTick; ++i) {
    Node* node = table_.expired(now.mono);
    if (node == nullptr) break;
    take_out(*node, now);
  }
  discovery_.tick(now);
  claims_.tick(now);
  named_.tick(now);
  messages_.tick(now);
  constexpr Duration kShortest = std::chrono::milliseconds(20), kLongest = std::chrono::seconds(1);
  auto next = table_.next_expiry();
  if (const auto due = messages_.next_deadline(); due && (!next || *due < *next)) next = due;
  return next ? std::clamp(Duration(*next - now.mono), kShortest, kLongest) : kLongest;
}

void Policy::restore(SavedNode saved, const Now& now) {
  const bool is_coap = saved.protocol == Protocol::coap;
  if (!is_uid(saved.uid) || table_.find(saved.uid) != nullptr) return;
  const bool released =
      std::any_of(options_.release.begin(), options_.release.end(),
                  [&](const std::string& pattern) { return text::glob_match(pattern, saved.uid); });
  if (released) return;
  if (is_coap ? saved.address.empty() : !is_node_id(saved.id)) return;
  Node* node = table_.add(saved.uid, lifetime_of(saved.uid));
  if (node == nullptr) return;
  node->protocol = saved.protocol;
  node->id = std::move(saved.id);
  if (saved.agreed_silence > Duration(0)) {
    node->agreed_silence = saved.agreed_silence;
    table_.set_lifetime(*node, saved.agreed_silence);
  }
  if (is_coap) {
    table_.place(*node, saved.address);
  } else {
    node->address = saved.address;
  }
  node->credential = std::move(saved.credential);
  node->server_port = saved.server_port;
  node->first_seen = saved.first_seen;
  // A clock that stepped back must not make nodes live for ever, nor kill them.
  const auto silent = std::max(Duration(0), Duration(now.wall - saved.last_seen));
  node->last_seen = now.mono - silent;
  node->last_seen_wall = std::min(saved.last_seen, now.wall);
  if (saved.registration) directory_.restore(*node, std::move(*saved.registration));
  // A WebSocket did not outlive the gateway.
  const bool is_gone = saved.out || saved.protocol == Protocol::websocket;
  if (is_gone || silent >= NodeTable::lifetime(*node)) {
    if (node->registration) directory_.ended(*node);
    return;
  }
  table_.revive(*node);
  std::size_t bytes = 0;
  for (const auto& resource : saved.resources) bytes += resource.bytes.size();
  if (account(0, bytes)) node->resources = std::move(saved.resources);
  const bool followed = std::any_of(node->resources.begin(), node->resources.end(),
                                    [](const Resource& resource) { return resource.observed; });
  // What was not read to its end is read at the node's next message.
  node->discovery = saved.read || !is_coap ? Node::Discovery::done : Node::Discovery::failed;
  node->retry_after = now.mono;
  if (followed) discovery_.start(*node);
}

}  // namespace aiot::gateway
