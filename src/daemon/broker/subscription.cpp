#include "daemon/broker/subscription.h"

#include <limits>
#include <utility>

#include "core/ws/http_server.h"
#include "daemon/broker/client_v1_json.h"
#include "daemon/broker/feed.h"
#include "daemon/broker/follower_limits.h"

namespace aiot::broker {
namespace {

/// A frame's memory is given back when it had become so large.
constexpr std::size_t kKeptFrame = 4 * 1024;
constexpr std::string_view kTooSlow = "the client is slower than the updates";

}  // namespace

void Subscription::start(SnapshotParts parts) {
  parts_ = std::move(parts);
  part_ = 0;
  in_snapshot_ = true;
  wake();
}

std::string_view Subscription::put(std::string_view payload, std::uint64_t updates, bool batch) {
  frame_.clear();
  taken_ = 0;
  ws::append_text_frame(frame_, payload);
  frame_updates_ = updates;
  frame_is_batch_ = batch;
  return frame_;
}

bool Subscription::next_part() {
  if (!in_snapshot_) return false;
  std::string payload;
  if (part_ < parts_.size()) {
    const auto part = std::move(parts_[part_++]);
    client_v1::append_snapshot(payload, id_, part->nodes, false);
    put(payload, part->updates, false);
  } else {
    in_snapshot_ = false;
    parts_ = {};
    client_v1::append_snapshot(payload, id_, {}, true);
    put(payload, 0, false);
  }
  return true;
}

std::string_view Subscription::peek() {
  if (taken_ < frame_.size()) return std::string_view(frame_).substr(taken_);
  if (next_part()) return frame_;
  if (window_ == 0) return next(std::numeric_limits<std::size_t>::max());
  return outstanding_ < window_ ? next(static_cast<std::size_t>(window_ - outstanding_)) : std::string_view();
}

void Subscription::consume(std::size_t bytes) {
  if (taken_ == frame_.size()) {
    outstanding_ += passed(bytes);
    return;
  }
  taken_ += bytes;
  if (taken_ < frame_.size()) return;
  delivered_ += frame_updates_;
  if (frame_is_batch_) ++outstanding_;
  taken_ = 0;
  if (frame_.capacity() > kKeptFrame) {
    frame_ = {};
  } else {
    frame_.clear();
  }
}

void Subscription::acknowledged(std::uint64_t batches) {
  outstanding_ -= std::min(outstanding_, batches);
  wake();
}

std::uint64_t Subscription::take_delivered() { return std::exchange(delivered_, 0); }

FeedReader::FeedReader(Feed& feed, std::uint64_t window, Interest& interest, Subscriber& subscriber,
                       Counters& counters)
    : Subscription(feed.id(), window, interest, subscriber), feed_(feed), counters_(counters) {
  // What is not cut yet happened before.
  feed_.cut();
  cursor_ = feed_.log().end();
  counted_ = cursor_.passed().updates;
  feed_.add(*this);
}

FeedReader::~FeedReader() {
  feed_.remove(*this);
  counters_.delivered += take_delivered();
}

std::uint64_t FeedReader::behind() const { return feed_.log().position() - cursor_.position(); }

void FeedReader::keep_bound() {
  if (behind() <= share()) return;
  counters_.delivered += take_delivered();
  const Tally lost = feed_.log().tally() - cursor_.passed();
  missed_ = missed_ + lost;
  counters_.drop(Drop::slow_client, lost.updates);
  cursor_ = feed_.log().end();
  counted_ = cursor_.passed().updates;
}

std::uint64_t FeedReader::take_delivered() {
  const std::uint64_t passed = cursor_.passed().updates;
  return Subscription::take_delivered() + passed - std::exchange(counted_, passed);
}

std::string_view FeedReader::next(std::size_t batches) {
  feed_.cut();
  if (missed_.updates + missed_.events > 0) {
    const Tally missed = std::exchange(missed_, {});
    return put(client_v1::gap(id(), missed.updates, missed.events, kTooSlow), 0, false);
  }
  return cursor_.peek(batches);
}

std::size_t FeedReader::passed(std::size_t bytes) {
  const std::size_t frames = cursor_.frames_in(bytes);
  cursor_.consume(bytes);
  return frames;
}

Conflation::Conflation(std::uint64_t id, bool events, std::uint64_t window, Interest& interest,
                       Subscriber& subscriber, Counters& counters)
    : Subscription(id, window, interest, subscriber), events_(events), counters_(counters) {
  interest.conflations.push_back(this);
}

Conflation::~Conflation() {
  std::erase(interest().conflations, this);
  counters_.delivered += take_delivered();
}

void Conflation::add(Key key, std::shared_ptr<const std::string> item) {
  if (entries_.empty()) wake();
  bytes_ += item->size();
  const auto [place, fresh] = places_.try_emplace(key);
  if (fresh) {
    place->second = entries_.insert(entries_.end(), Entry{key, std::move(item)});
    return;
  }
  Entry& entry = *place->second;
  bytes_ -= entry.item->size();
  entry.item = std::move(item);
  if (key.what >= kGatewayDown) {
    entries_.splice(entries_.end(), entries_, place->second);
  } else {
    counters_.drop(Drop::conflated);
  }
}

std::size_t Conflation::queued_bytes() const {
  return Subscription::queued_bytes() + bytes_ + entries_.size() * (sizeof(Entry) + sizeof(Key));
}

std::string_view Conflation::next(std::size_t) {
  if (entries_.empty()) return {};
  std::string batch;
  client_v1::begin_updates(batch, id());
  std::uint64_t updates = 0;
  std::size_t items = 0;
  while (!entries_.empty() && batch.size() < kMaxUpdatesBytes && items < kMaxUpdatesItems) {
    const Entry& entry = entries_.front();
    if (items++ > 0) batch += ',';
    batch += *entry.item;
    if (entry.key.what < kGatewayDown) ++updates;
    bytes_ -= entry.item->size();
    places_.erase(entry.key);
    entries_.pop_front();
  }
  client_v1::end_updates(batch);
  return put(batch, updates, true);
}

std::size_t Conflation::passed(std::size_t) { return 0; }

}  // namespace aiot::broker
