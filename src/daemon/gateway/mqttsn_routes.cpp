#include "daemon/gateway/mqttsn_routes.h"

namespace aiot::gateway {

bool RetainedStore::set(const mqttsn::Message& message) {
  const auto at = messages_.find(message.topic);
  const std::size_t before = at == messages_.end() ? 0 : at->second.size();
  if (message.payload.empty()) {
    if (at != messages_.end()) messages_.erase(at);
    bytes_ -= before;
    return true;
  }
  if (at == messages_.end() && messages_.size() >= kMaxMessages) return false;
  if (bytes_ - before + message.size() > kMaxBytes) return false;
  bytes_ = bytes_ - before + message.size();
  messages_[message.topic] = message;
  return true;
}

std::vector<mqttsn::Message> RetainedStore::matching(const std::string& filter) const {
  std::vector<mqttsn::Message> out;
  if (!has_wildcard(filter)) {
    if (const auto at = messages_.find(filter); at != messages_.end()) out.push_back(at->second);
    return out;
  }
  char subscriber = 0;
  SubscriptionTree<char> tree;
  tree.add(filter, &subscriber, 0);
  for (const auto& entry : messages_)
    tree.match(entry.first, [&](char&, int) {
      if (out.empty() || out.back().topic != entry.first) out.push_back(entry.second);
    });
  return out;
}

}  // namespace aiot::gateway
