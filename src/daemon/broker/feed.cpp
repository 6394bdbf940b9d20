#include "daemon/broker/feed.h"

#include <algorithm>
#include <utility>

#include "daemon/broker/client_v1_json.h"
#include "daemon/broker/follower_limits.h"
#include "daemon/broker/subscription.h"

namespace aiot::broker {
namespace {

/// There may be a feed for each client: the chunks of its log are smaller than those of the one for all.
constexpr std::size_t kFeedChunk = 16 * 1024;
/// A batch's memory is given back when it had become so large.
constexpr std::size_t kKeptBatch = 2 * kMaxUpdatesBytes;

}  // namespace

Feed::Feed(std::uint64_t id, bool events) : id_(id), events_(events), log_(kFeedChunk) {}

void Feed::append(std::string_view item, Tally what) {
  if (batch_.empty()) {
    client_v1::begin_updates(batch_, id_);
    for (FeedReader* reader : readers_) reader->wake();
  } else {
    batch_ += ',';
  }
  batch_ += item;
  holds_ = holds_ + what;
  if (batch_.size() >= kMaxUpdatesBytes || holds_.updates + holds_.events >= kMaxUpdatesItems) cut();
}

void Feed::cut() {
  if (batch_.empty()) return;
  client_v1::end_updates(batch_);
  log_.append(batch_, std::exchange(holds_, {}));
  if (batch_.capacity() > kKeptBatch) {
    batch_ = {};
  } else {
    batch_.clear();
  }
  for (FeedReader* reader : readers_) reader->keep_bound();
}

std::size_t Feed::queued_bytes() const {
  std::uint64_t most = 0;
  for (const FeedReader* reader : readers_) most = std::max(most, reader->behind());
  return most;
}

}  // namespace aiot::broker
