#include "daemon/broker/interest_index.h"

#include <algorithm>
#include <utility>

#include "daemon/broker/feed.h"

namespace aiot::broker {
namespace {

/// Names of resources that are remembered; beyond it the lists are made anew.
constexpr std::size_t kMaxNames = 4096;

}  // namespace

Interest& InterestIndex::obtain(std::vector<std::string> nodes, std::vector<std::string> resources,
                                const Scope& scope) {
  std::string key = Interest::key(nodes, resources, scope);
  auto& place = interests_[std::move(key)];
  if (place) return *place;
  place = std::make_unique<Interest>(std::move(nodes), std::move(resources), scope);
  Interest& interest = *place;
  if (interest.wants_all_nodes()) {
    everywhere_.push_back(&interest);
    by_resource_.clear();
  } else if (interest.is_literal()) {
    for (const std::string& uid : interest.nodes()) {
      by_uid_[uid].push_back(&interest);
      if (const Node* node = table_.find(uid)) watch(*node, interest);
    }
  } else {
    globs_.push_back(&interest);
    for (const auto& node : table_.slots()) {
      if (node && interest.wants_node(node->uid)) watch(*node, interest);
    }
  }
  return interest;
}

void InterestIndex::release(Interest& interest) {
  if (interest.wants_all_nodes()) {
    std::erase(everywhere_, &interest);
    by_resource_.clear();
  } else if (interest.is_literal()) {
    for (const std::string& uid : interest.nodes()) {
      const auto list = by_uid_.find(uid);
      std::erase(list->second, &interest);
      if (list->second.empty()) by_uid_.erase(list);
      const Node* node = table_.find(uid);
      if (node != nullptr && node->slot < watches_.size())
        std::erase(watches_[node->slot].interests, &interest);
    }
  } else {
    std::erase(globs_, &interest);
    for (Watch& watch : watches_) std::erase(watch.interests, &interest);
  }
  std::vector<std::string> nodes = interest.nodes();
  std::vector<std::string> resources = interest.resources();
  const Scope scope = interest.scope();
  interests_.erase(Interest::key(nodes, resources, scope));
}

void InterestIndex::watch(const Node& node, Interest& interest) {
  // A list that was not made yet will be made with this interest in it.
  if (node.slot >= watches_.size() || watches_[node.slot].serial != node.serial) return;
  watches_[node.slot].interests.push_back(&interest);
}

const std::vector<Interest*>& InterestIndex::around(const Node& node) {
  if (node.slot >= watches_.size())
    watches_.resize(std::max<std::size_t>(node.slot + 1, table_.slots().size()));
  Watch& watch = watches_[node.slot];
  if (watch.serial != node.serial) {
    watch.serial = node.serial;
    watch.interests.clear();
    if (const auto named = by_uid_.find(node.uid); named != by_uid_.end()) watch.interests = named->second;
    for (Interest* interest : globs_) {
      if (interest->wants_node(node.uid)) watch.interests.push_back(interest);
    }
  }
  return watch.interests;
}

const std::vector<Interest*>& InterestIndex::everywhere(std::string_view resource) {
  if (everywhere_.empty()) return everywhere_;
  const auto found = by_resource_.find(resource);
  if (found != by_resource_.end()) return found->second;
  if (by_resource_.size() >= kMaxNames) by_resource_.clear();
  auto& list = by_resource_[std::string(resource)];
  for (Interest* interest : everywhere_) {
    if (interest->wants_resource(resource)) list.push_back(interest);
  }
  return list;
}

}  // namespace aiot::broker
