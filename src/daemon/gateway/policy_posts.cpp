#include <fmt/core.h>

#include "daemon/gateway/identity.h"
#include "daemon/gateway/payload.h"
#include "daemon/gateway/policy.h"

/// What pyaiot's nodes POST: signs of life and values.
namespace aiot::gateway {

namespace {

constexpr std::size_t kMaxAlive = 1024;
constexpr const char* kForeign = "this node speaks over DTLS or TLS, with a credential that is not yours";

}  // namespace

coap::ServerReply Policy::alive(std::string_view payload, const coap::Peer& peer, const Now& now) {
  ++counters_.received;
  if (payload.size() > kMaxAlive) {
    counters_.drop(Drop::too_long);
    return refuse(coap::code(4, 13), fmt::format("an alive is at most {} bytes", kMaxAlive));
  }
  const auto message = parse_alive(payload);
  Node* node = message.uid.empty() ? table_.only_at(peer.address) : table_.find(message.uid);
  if (node == nullptr && message.uid.empty()) {
    counters_.drop(Drop::bad_uid);
    return refuse(coap::code(4, 0), "the uid, after the last colon, must be 1 to 64 printable characters");
  }
  if (node == nullptr) {
    node = table_.add(message.uid, lifetime_of(message.uid));
    if (node == nullptr) {
      counters_.drop(Drop::table_full);
      return refuse(coap::code(5, 3), "this gateway has all the nodes it can hold");
    }
  } else if (node->protocol != Protocol::coap) {
    counters_.drop(Drop::uid_conflict);
    return refuse(coap::code(4, 9),
                  fmt::format("uid '{}' is a node's that speaks {}", node->uid, to_string(node->protocol)));
  } else if (claims_.is_foreign(*node, peer, now)) {
    return refuse(coap::code(4, 3), kForeign);
  } else if (is_stranger(*node, peer.address, now)) {
    counters_.drop(Drop::uid_conflict);
    return refuse(coap::code(4, 3), fmt::format("uid '{}' belongs to another address", node->uid));
  } else if (!node->address.empty() && !NodeTable::same_host(node->address, peer.address)) {
    // Whoever has proved to be the node is it, wherever it is.
    if (!node->live || message.reset || !node->credential.empty()) {
      move(*node, peer, message.reset, now);
    } else if (claims_.claim(*node, peer, now) == Claims::Verdict::refused) {
      counters_.drop(Drop::uid_conflict);
      return refuse(coap::code(4, 9),
                    fmt::format("uid '{}' is in use at {}", node->uid, node->address.host()));
    }
    return received(payload);
  }
  table_.place(*node, peer.address);
  node->local = peer.local;
  node->credential = peer.credential;
  if (node->live && message.reset) {
    seen(*node, now);
    reset(*node, now);
  } else {
    still_there(*node, now);
  }
  return received(payload);
}

coap::ServerReply Policy::post(std::string_view payload, const coap::Peer& peer, const Now& now) {
  ++counters_.received;
  Node* node = table_.at_source(peer.address);
  const auto message = parse_post(payload);
  if (node == nullptr) {
    counters_.drop(message ? Drop::unknown_address : Drop::no_colon);
    if (!message) return refuse(coap::code(4, 0), "the payload must be RESOURCE:VALUE");
    if (claims_.waiting_at(peer.address)) {
      auto reply = refuse(coap::code(5, 3), "the uid is being checked; try again");
      reply.max_age = 2;
      return reply;
    }
    return refuse(coap::code(4, 4), "no node here: POST WORD:UID to /alive first");
  }
  if (claims_.is_foreign(*node, peer, now)) return refuse(coap::code(4, 3), kForeign);
  node->address = peer.address;
  node->local = peer.local;
  seen(*node, now);
  if (!message) {
    counters_.drop(Drop::no_colon);
    return refuse(coap::code(4, 0), "the payload must be RESOURCE:VALUE");
  }
  if (message->value.size() > kMaxValue) {
    counters_.drop(Drop::too_long);
    return refuse(coap::code(4, 13), fmt::format("a value is at most {} bytes", kMaxValue));
  }
  if (!is_resource_name(message->resource)) {
    counters_.drop(Drop::bad_name);
    return refuse(coap::code(4, 0),
                  fmt::format("the resource, before the first colon, must be 1 to {} bytes of "
                              "printable text",
                              kMaxResource));
  }
  if (!is_plain_text(message->value)) {
    counters_.drop(Drop::bad_value);
    return refuse(coap::code(4, 0), "the value must be UTF-8 text without control characters");
  }
  if (!node->rate.take(options_.node_rate, now.mono)) {
    counters_.drop(Drop::too_fast);
    auto reply = refuse(coap::code(4, 29), "too many updates");  // RFC 8516
    const auto wait = std::chrono::ceil<std::chrono::seconds>(node->rate.wait(options_.node_rate, now.mono));
    reply.max_age = static_cast<std::uint32_t>(wait.count());
    return reply;
  }
  if (!set_value(*node, message->resource, message->value, std::nullopt, now)) {
    if (node->find(message->resource) != nullptr || node->resources.size() < kMaxNodeResources) {
      counters_.drop(Drop::table_full);
      return refuse(coap::code(5, 3), "this gateway has all the values it can hold");
    }
    counters_.drop(Drop::too_many_resources);
    return refuse(coap::code(4, 0), fmt::format("a node has at most {} resources", kMaxNodeResources));
  }
  if (node->pending_writes > 0) requests_.posted(*node, message->resource, message->value);
  return received(payload);
}

}  // namespace aiot::gateway
