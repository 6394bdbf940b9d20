#include "daemon/gateway/claims.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/log.h"
#include "core/base/text.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

Claims::Verdict Claims::claim(Node& node, const coap::Peer& peer, const Now& now) {
  if (const auto refusal = refusals_.find(node.uid); refusal != refusals_.end()) {
    if (refusal->second.until > now.mono && NodeTable::same_host(refusal->second.claimant, peer.address))
      return Verdict::refused;
  }
  // One claim a uid; a second claimant meanwhile has to say alive again.
  if (claims_.contains(node.uid)) return Verdict::probing;
  if (claims_.size() >= kMaxClaims) return Verdict::refused;
  auto& claim = claims_[node.uid];
  claim.claimant = peer;
  const auto probe = [&](std::size_t i, const SocketAddress& to, const SocketAddress& from) {
    NodeRequest request;
    request.ticket = claim.probes[i] = core_.next_ticket();
    request.to = to;
    request.from = from;
    request.secure = !node.credential.empty();
    request.resource = ".well-known/core";
    request.timeout = kProbeTime;
    probes_.emplace(request.ticket, node.uid);
    core_.effects.request(std::move(request));
  };
  if (core_.only_at_source(node)) {
    probe(0, node.address, node.local);
  } else {
    probe(0, node.server(), {});
    if (node.address.port() != node.server_port && !node.local.empty()) probe(1, node.address, node.local);
  }
  return Verdict::probing;
}

bool Claims::is_foreign(const Node& node, const coap::Peer& peer, const Now& now) {
  if (node.credential.empty() || node.credential == peer.credential) return false;
  core_.counters.drop(Drop::uid_conflict);
  if (!foreigners_.allow()) return true;
  ++core_.counters.uid_conflicts;
  auto message = fmt::format(
      "{} says it is '{}', which has proved to be {}, and has {}: refused", peer.address.host(), node.uid,
      text::escape_controls(node.credential),
      peer.credential.empty() ? "no credential" : "proved to be " + text::escape_controls(peer.credential));
  log::warn("{}", message);
  core_.effects.item(wire::Notice{"uid_conflict", node.uid, std::move(message), now.wall});
  return true;
}

bool Claims::waiting_at(const SocketAddress& address) const {
  return std::any_of(claims_.begin(), claims_.end(), [&](const auto& entry) {
    return NodeTable::same_host(entry.second.claimant.address, address);
  });
}

void Claims::cancel(Claim& claim) {
  for (auto& ticket : claim.probes) {
    if (ticket == 0) continue;
    core_.effects.cancel(ticket);
    probes_.erase(ticket);
    ticket = 0;
  }
}

bool Claims::responded(Ticket ticket, const Result<Response>& result, const Now& now) {
  const auto probe = probes_.find(ticket);
  if (probe == probes_.end()) return false;
  const std::string uid = std::move(probe->second);
  probes_.erase(probe);
  const auto at = claims_.find(uid);
  if (at == claims_.end()) return true;
  Claim& claim = at->second;
  for (auto& other : claim.probes)
    if (other == ticket) other = 0;
  // A CoAP error is an answer too: somebody is at home.
  const bool alive = result || is_answer(result.error());
  if (!alive && (claim.probes[0] != 0 || claim.probes[1] != 0)) return true;
  Node* node = core_.table.find(uid);
  if (node != nullptr && alive) {
    policy_.seen(*node, now);
    return true;
  }
  const coap::Peer claimant = claim.claimant;
  cancel(claim);
  claims_.erase(at);
  // It may have proved who it is meanwhile.
  if (node != nullptr && !is_foreign(*node, claimant, now)) policy_.move(*node, claimant, false, now);
  return true;
}

void Claims::contradicted(const Node& node, const Now& now) {
  if (claims_.empty()) return;
  const auto at = claims_.find(node.uid);
  if (at == claims_.end()) return;
  cancel(at->second);
  const SocketAddress claimant = at->second.claimant.address;
  claims_.erase(at);
  tell(node, claimant, "still speaks at", now);
}

void Claims::refuse_stranger(const Node& node, const SocketAddress& claimant, const Now& now) {
  const auto known = refusals_.find(node.uid);
  const bool told = known != refusals_.end() && known->second.until > now.mono;
  if (!told) tell(node, claimant, "was first used at", now);
}

void Claims::tell(const Node& node, const SocketAddress& claimant, std::string_view why, const Now& now) {
  ++core_.counters.uid_conflicts;
  if (refusals_.size() < kMaxClaims * 4) refusals_[node.uid] = {claimant, now.mono + kRefusalTime};
  auto message = fmt::format("{} says it is '{}', which {} {}: refused", claimant.host(), node.uid, why,
                             node.address.host());
  if (conflicts_.allow()) log::warn("{}", message);
  core_.effects.item(wire::Notice{"uid_conflict", node.uid, std::move(message), now.wall});
}

void Claims::drop(const std::string& uid) {
  refusals_.erase(uid);
  const auto at = claims_.find(uid);
  if (at == claims_.end()) return;
  cancel(at->second);
  claims_.erase(at);
}

void Claims::tick(const Now& now) {
  std::erase_if(refusals_, [&](const auto& entry) { return entry.second.until <= now.mono; });
}

}  // namespace aiot::gateway
