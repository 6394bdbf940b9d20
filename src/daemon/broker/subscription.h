#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "daemon/broker/broadcast_log.h"
#include "daemon/broker/counters.h"
#include "daemon/broker/interest.h"

namespace aiot::broker {

class Feed;

/// Whose subscription it is.
class Subscriber {
 public:
  virtual ~Subscriber() = default;
  /// Something is there to be sent.
  virtual void wake() = 0;
  /// Bytes that one of its subscriptions may be behind.
  [[nodiscard]] virtual std::size_t share() const = 0;
};

/// What one subscription has still to get: a snapshot, then what happens from the moment of that snapshot, as
/// encoded frames.
class Subscription {
 public:
  /// `window` batches may be unacknowledged; 0 for no such bound.
  Subscription(std::uint64_t id, std::uint64_t window, Interest& interest, Subscriber& subscriber)
      : id_(id), window_(window), interest_(interest), subscriber_(subscriber) {}
  virtual ~Subscription() = default;
  Subscription(const Subscription&) = delete;
  Subscription& operator=(const Subscription&) = delete;

  [[nodiscard]] std::uint64_t id() const { return id_; }
  [[nodiscard]] Interest& interest() const { return interest_; }

  /// It begins with this.
  void start(SnapshotParts parts);
  /// Whole frames to send now, empty for none; valid until the next call of this or of consume().
  [[nodiscard]] std::string_view peek();
  void consume(std::size_t bytes);
  /// The client has dealt with so many more batches.
  void acknowledged(std::uint64_t batches);
  void wake() { subscriber_.wake(); }

  /// Updates handed over since the last call.
  [[nodiscard]] virtual std::uint64_t take_delivered();
  [[nodiscard]] virtual std::size_t queued_bytes() const { return frame_.size() - taken_; }

 protected:
  /// Frames that follow the snapshot, of at most `batches`: a view, or made with put().
  virtual std::string_view next(std::size_t batches) = 0;
  /// How many batches `bytes` of that view were.
  virtual std::size_t passed(std::size_t bytes) = 0;
  /// One frame of this subscription's own, as the next to be sent.
  std::string_view put(std::string_view payload, std::uint64_t updates, bool batch);
  [[nodiscard]] std::size_t share() const { return subscriber_.share(); }

 private:
  bool next_part();

  std::uint64_t id_;
  std::uint64_t window_;
  std::uint64_t outstanding_ = 0;  ///< batches sent and not acknowledged
  Interest& interest_;
  Subscriber& subscriber_;
  SnapshotParts parts_;
  std::size_t part_ = 0;
  bool in_snapshot_ = false;
  std::string frame_;  ///< of its own, on its way
  std::size_t taken_ = 0;
  std::uint64_t frame_updates_ = 0;
  bool frame_is_batch_ = false;
  std::uint64_t delivered_ = 0;
};

/// One that gets everything, or is told how much it missed.
class FeedReader final : public Subscription {
 public:
  /// Begins where the feed is now; the feed outlives it.
  FeedReader(Feed& feed, std::uint64_t window, Interest& interest, Subscriber& subscriber,
             Counters& counters);
  ~FeedReader() override;

  [[nodiscard]] Feed& feed() const { return feed_; }
  [[nodiscard]] std::uint64_t behind() const;
  /// Further behind than its share it goes on at the end, and a gap says what it missed.
  void keep_bound();
  [[nodiscard]] std::uint64_t take_delivered() override;

 protected:
  std::string_view next(std::size_t batches) override;
  std::size_t passed(std::size_t bytes) override;

 private:
  Feed& feed_;
  Counters& counters_;
  BroadcastLog::Cursor cursor_;
  std::uint64_t counted_;  ///< updates of the log that take_delivered has told, or that were missed
  Tally missed_;           ///< not told yet
};

/// One that gets of each resource only the newest value that was not sent yet: it never holds more than what
/// it is interested in.
class Conflation final : public Subscription {
 public:
  /// What a newer item takes the place of: serial of node or gateway, and what of it.
  struct Key {
    std::uint64_t serial = 0;
    std::uint32_t what = 0;
    friend bool operator==(Key a, Key b) { return a.serial == b.serial && a.what == b.what; }
  };
  static constexpr std::uint32_t kNodeEvent = 0xFFFF'FFFF, kGatewayUp = 0xFFFF'FFFE,
                                 kGatewayDown = 0xFFFF'FFFD;

  Conflation(std::uint64_t id, bool events, std::uint64_t window, Interest& interest, Subscriber& subscriber,
             Counters& counters);
  ~Conflation() override;

  [[nodiscard]] bool events() const { return events_; }
  /// An update takes the place of an older one; an event goes to the end, so that a state is never told
  /// before one that it ended.
  void add(Key key, std::shared_ptr<const std::string> item);
  [[nodiscard]] std::size_t queued_bytes() const override;

 protected:
  std::string_view next(std::size_t batches) override;
  std::size_t passed(std::size_t bytes) override;

 private:
  struct Hash {
    std::size_t operator()(Key key) const {
      return static_cast<std::size_t>((key.serial << 12 ^ key.what) * 0x9E3779B97F4A7C15ULL >> 7);
    }
  };
  struct Entry {
    Key key;
    std::shared_ptr<const std::string> item;
  };

  bool events_;
  Counters& counters_;
  std::list<Entry> entries_;
  std::unordered_map<Key, std::list<Entry>::iterator, Hash> places_;
  std::size_t bytes_ = 0;
};

}  // namespace aiot::broker
