#include "daemon/gateway/named_nodes.h"

#include <algorithm>

#include "daemon/gateway/policy.h"

namespace aiot::gateway {

namespace {
constexpr Duration kFirstWait = std::chrono::seconds(2), kLastWait = std::chrono::seconds(60);
constexpr Duration kLongestPoll = std::chrono::seconds(30), kShortestPoll = std::chrono::seconds(1);
}  // namespace

void NamedNodes::add(const std::string& uid, const SocketAddress& address, const Now& now) {
  Node* node = core_.table.find(uid);
  if (node == nullptr) node = core_.table.add(uid, policy_.lifetime_of(uid));
  if (node == nullptr) return;
  if (!node->address.empty() && !NodeTable::same_host(node->address, address)) policy_.discovery_.stop(*node);
  node->named = true;
  core_.table.place(*node, address);
  node->server_port = address.port();
  const auto known =
      std::find_if(named_.begin(), named_.end(), [&](const Named& named) { return named.uid == uid; });
  if (known == named_.end()) named_.push_back({uid, now.mono, Duration(0)});
}

void NamedNodes::tick(const Now& now) {
  for (auto& named : named_) {
    if (named.next > now.mono) continue;
    if (Node* node = core_.table.find(named.uid); node != nullptr) poll(named, *node, now);
  }
}

void NamedNodes::poll(Named& named, Node& node, const Now& now) {
  if (node.job != 0 || node.discovery == Node::Discovery::queued) return;
  if (!node.live) {
    policy_.discovery_.start(node);
    named.wait = std::clamp(named.wait * 2, kFirstWait, kLastWait);
    named.next = now.mono + named.wait;
    return;
  }
  named.wait = Duration(0);
  named.next = now.mono + std::clamp(NodeTable::lifetime(node) / 3, kShortestPoll, kLongestPoll);
  std::vector<Found> unobserved;
  for (const auto& resource : node.resources)
    if (!resource.observed) unobserved.push_back({resource.name, false});
  policy_.discovery_.start_with(node, std::move(unobserved), true);
}

}  // namespace aiot::gateway
