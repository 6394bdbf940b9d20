#include "daemon/broker/followers.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "daemon/broker/client_v1_json.h"
#include "daemon/broker/feed.h"

namespace aiot::broker {
namespace {

/// Encoded snapshots are kept so long for subscriptions that begin together.
constexpr Duration kKeepSnapshots = std::chrono::seconds(10);

/// Who a node is, in a number that changes with it.
std::size_t description(const Node& node) {
  const std::hash<std::string_view> hash;
  std::size_t sum = node.serial;
  for (const std::string_view part : {std::string_view(node.protocol), std::string_view(node.address),
                                      std::string_view(node.owner->name)}) {
    sum = sum * 0x9E3779B97F4A7C15ULL + hash(part);
  }
  return sum;
}

}  // namespace

Followers::Followers(EventLoop& loop, const NodeTable& table, Counters& counters)
    : loop_(loop), table_(table), counters_(counters), index_(table), drop_snapshots_(loop.make_timer([this] {
        for (const auto& [key, interest] : index_.all()) interest->drop_snapshot();
      })) {}

std::unique_ptr<Subscription> Followers::subscribe(const wire::client_v1::Subscribe& wanted,
                                                   Subscriber& subscriber) {
  Interest& interest = index_.obtain(wanted.nodes, wanted.resources);
  std::unique_ptr<Subscription> made;
  if (wanted.conflate) {
    made = std::make_unique<Conflation>(wanted.id, wanted.events, wanted.window, interest, subscriber,
                                        counters_);
  } else {
    auto& feeds = interest.feeds;
    auto feed = std::find_if(feeds.begin(), feeds.end(), [&](const auto& at) {
      return at->id() == wanted.id && at->events() == wanted.events;
    });
    if (feed == feeds.end()) {
      feeds.push_back(std::make_unique<Feed>(wanted.id, wanted.events));
      feed = std::prev(feeds.end());
    }
    made = std::make_unique<FeedReader>(**feed, wanted.window, interest, subscriber, counters_);
  }
  SnapshotParts parts;
  if (wanted.snapshot) {
    parts = interest.snapshot(table_, touched_);
    if (!drop_snapshots_->armed()) drop_snapshots_->start(kKeepSnapshots);
  }
  made->start(std::move(parts));
  return made;
}

void Followers::end(std::unique_ptr<Subscription> subscription) {
  Interest& interest = subscription->interest();
  subscription.reset();
  std::erase_if(interest.feeds, [](const auto& feed) { return feed->readers().empty(); });
  if (interest.feeds.empty() && interest.conflations.empty()) index_.release(interest);
}

void Followers::touch(const Node& node) {
  const std::size_t block = node.slot / kNodesPerBlock;
  if (block >= touched_.size()) touched_.resize(table_.block_versions().size());
  ++touched_[block];
}

void Followers::updated(const Node& node, const Resource& resource) {
  touch(node);
  if (index_.empty()) return;
  item_.clear();
  std::shared_ptr<const std::string> shared;
  const Conflation::Key key{node.serial, static_cast<std::uint32_t>(&resource - node.resources.data())};
  index_.each(node, resource.name, [&](Interest& interest) {
    if (item_.empty()) client_v1::append_update(item_, node, resource);
    for (const auto& feed : interest.feeds) feed->append(item_, {1, 0});
    if (interest.conflations.empty()) return;
    if (!shared) shared = std::make_shared<const std::string>(item_);
    for (Conflation* conflation : interest.conflations) conflation->add(key, shared);
  });
}

void Followers::pass(Interest& interest, Conflation::Key key, const std::string& item,
                     std::shared_ptr<const std::string>& shared) {
  for (const auto& feed : interest.feeds) {
    if (feed->events()) feed->append(item, {0, 1});
  }
  for (Conflation* conflation : interest.conflations) {
    if (!conflation->events()) continue;
    if (!shared) shared = std::make_shared<const std::string>(item);
    conflation->add(key, shared);
  }
}

void Followers::tell(std::string_view event, const Node& node) {
  touch(node);
  if (index_.empty()) return;
  if (node.slot >= described_.size()) described_.resize(table_.slots().size());
  described_[node.slot] = description(node);
  item_.clear();
  std::shared_ptr<const std::string> shared;
  index_.each(node, [&](Interest& interest) {
    if (item_.empty()) client_v1::append_event(item_, event, node, loop_.wall_now());
    pass(interest, {node.serial, Conflation::kNodeEvent}, item_, shared);
  });
}

void Followers::tell(std::string_view event, const GatewayRecord& gateway, std::uint32_t what) {
  if (index_.empty()) return;
  item_.clear();
  client_v1::append_event(item_, event, gateway, loop_.wall_now());
  std::shared_ptr<const std::string> shared;
  for (const auto& [key, interest] : index_.all()) pass(*interest, {gateway.serial, what}, item_, shared);
}

/// Says who the node is, unless that was said.
void Followers::describe(const Node& node) {
  if (node.slot >= described_.size() || described_[node.slot] != description(node)) tell("changed", node);
}

void Followers::joined(const Node& node) { tell("joined", node); }
void Followers::addressed(const Node& node) { describe(node); }
void Followers::protocol_told(const Node& node) { describe(node); }
void Followers::handed_over(const Node& node) { tell("changed", node); }
void Followers::labelled(const Node& node) { tell("changed", node); }
void Followers::restarted(const Node& node) { tell("reset", node); }
void Followers::given_up(const Node& node) { tell("out", node); }
void Followers::forgotten(const Node& node) { tell("forgotten", node); }

void Followers::gone(const Node& node) {
  // Of nodes that are stale only their gateway is told.
  node.state == NodeState::out ? tell("out", node) : touch(node);
}

void Followers::gateway_up(const GatewayRecord& gateway) {
  tell("gateway_up", gateway, Conflation::kGatewayUp);
}
void Followers::gateway_down(const GatewayRecord& gateway) {
  tell("gateway_down", gateway, Conflation::kGatewayDown);
}

std::size_t Followers::queued_bytes() const {
  std::size_t sum = 0;
  for (const auto& [key, interest] : index_.all()) {
    sum += interest->snapshot_bytes();
    for (const auto& feed : interest->feeds) sum += feed->queued_bytes();
    for (const Conflation* conflation : interest->conflations) sum += conflation->queued_bytes();
  }
  return sum;
}

void Followers::count_delivered() {
  for (const auto& [key, interest] : index_.all()) {
    for (const auto& feed : interest->feeds) {
      for (FeedReader* reader : feed->readers()) counters_.delivered += reader->take_delivered();
    }
    for (Conflation* conflation : interest->conflations) counters_.delivered += conflation->take_delivered();
  }
}

}  // namespace aiot::broker
