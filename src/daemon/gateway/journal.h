#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "daemon/gateway/counters.h"
#include "daemon/gateway/journal_file.h"
#include "daemon/gateway/journal_tail.h"
#include "daemon/gateway/sink.h"
#include "daemon/wire/gateway_v1.h"

namespace aiot::gateway {

struct JournalOptions {
  std::string folder;  ///< empty: in memory only, bound by memory_bytes
  std::uint64_t max_bytes = 256ULL * 1024 * 1024;
  Duration max_age = std::chrono::hours(24 * 7);
  Duration sync = std::chrono::milliseconds(100);  ///< zero: before every acknowledgement
  std::uint64_t segment_bytes = 8ULL * 1024 * 1024;
  std::size_t memory_bytes = 4UL * 1024 * 1024;
};

/// Where every item goes before the gateway acknowledges it to its node, and from where it goes to the broker
/// until that has stored it. Items are numbered in streams: each start begins a new one, so that a journal
/// that was copied or set back never gives a number to two items; what earlier streams still hold is there
/// first.
///
/// Appending writes to the page cache, so a killed process loses nothing; a worker syncs within
/// JournalOptions::sync, so a power cut loses no more than that.
class Journal final : public Sink {
 public:
  struct Callbacks {
    UniqueFunction<void()> readable;  ///< read() that had to wait has something
    /// For the operator: "journal_damaged", "journal_overflow", "disk_full", "disk_recovered".
    UniqueFunction<void(const std::string& type, const std::string& message)> notice;
    /// At open(), for what the newest records say: oldest first.
    UniqueFunction<void(const Origin&, const Update&)> seen;
  };
  Journal(EventLoop& loop, JournalOptions options);
  ~Journal() override;
  void set_callbacks(Callbacks callbacks) { callbacks_ = std::move(callbacks); }

  /// Takes up what earlier runs left, and begins a stream. Damaged segments are set aside, torn ends cut,
  /// both noticed; only a folder that cannot be used is an error.
  Result<void> open();

  /// False when the disk takes nothing now: the item is dropped and counted.
  bool append(const wire::UpdateView& update);
  bool append(const wire::Item& item);
  void begin(const Origin* origin) override {
    origin_ = origin;
    refused_ = false;
  }
  /// Hands what was appended to the system; nothing is read() before.
  void write();

  [[nodiscard]] bool stored() override;
  void when_stored(Completion<> done) override;

  struct Stream {
    std::string id;
    std::vector<std::string> earlier;
    std::uint64_t first = 1;  ///< of those still here
    std::uint64_t end = 1;    ///< behind the last
    bool current = false;
  };
  /// The stream to send first: the oldest that still holds something, else the current one.
  [[nodiscard]] Stream oldest() const;
  [[nodiscard]] const std::string& stream() const { return streams_.back().id; }
  /// Behind the last written item of a stream; 0 for one not here.
  [[nodiscard]] std::uint64_t end(const std::string& stream) const;
  /// The number the next item will have in the current stream.
  [[nodiscard]] std::uint64_t next_number() const { return tail_.end(); }
  /// Items of a stream from `from` on. None: read() again after `readable`, or `from` has moved to behind
  /// what is lost.
  [[nodiscard]] Chunk read(const std::string& stream, std::uint64_t& from, std::size_t most);
  /// The broker has everything of that stream up to `sequence`, and of those before it all.
  void acknowledged(const std::string& stream, std::uint64_t sequence);

  [[nodiscard]] JournalCounters counters() const;
  /// Syncs; `done` when all is on disk.
  void close(Completion<> done);

 private:
  struct File;
  struct Segment {
    std::string path;
    std::uint64_t first = 1, end = 1;  ///< numbers of its records
    std::uint64_t bytes = 0;
    std::size_t head_size = 0;
    std::string boot;
    WallTime made{};
  };
  struct StreamState {
    std::string id;
    std::vector<std::string> earlier;
    std::deque<Segment> segments;  ///< none in memory only; numbers may have holes between them
    std::uint64_t acknowledged = 0;
    std::uint64_t end = 1;  ///< behind the last written item
  };
  /// Where the last read from disk ended, so that the next goes on there.
  struct Place {
    std::string path;
    std::uint64_t number = 0;
    std::size_t offset = 0;
  };
  struct ReadJob;

  /// Segments are kept although the broker has them: their records tell the duplicate filter of the next life
  /// what was answered. A gateway that restarts again and again leaves many small ones.
  static constexpr std::size_t kLeastKept = 2, kMostKept = 16;
  [[nodiscard]] std::uint64_t kept_bytes() const {
    return std::min<std::uint64_t>(16ULL * 1024 * 1024, options_.max_bytes / 2);
  }
  [[nodiscard]] bool on_disk() const { return !options_.folder.empty(); }
  [[nodiscard]] StreamState* find(const std::string& stream);
  [[nodiscard]] const StreamState* find(const std::string& stream) const;
  [[nodiscard]] std::uint64_t first_of(const StreamState& stream) const;
  /// Items that the broker has not.
  [[nodiscard]] std::uint64_t left(const StreamState& stream) const;
  [[nodiscard]] static std::uint64_t left_in(const StreamState& stream, const Segment& segment);

  template <class Append>
  bool add(WallTime time, Append append);
  Result<void> load();
  void scan(Segment& segment, bool show);
  [[nodiscard]] int new_segment();
  void failed(int error);
  void refuse_pending();
  void set_aside(const std::string& path, std::string_view why);
  void drop(StreamState& stream, std::size_t segment, std::uint64_t& counter);
  void hold_bounds();
  void retire();
  void note_clock(WallTime now);
  void read_from_disk(StreamState& stream, std::uint64_t from, std::size_t most);
  void read_done(ReadJob& job);
  void read_again();
  void sync_soon();
  void sync();
  void synced(int error);
  void stamp(std::string& out, std::string_view item, const std::string& boot, std::uint64_t uptime_ms) const;
  void notice(const std::string& type, const std::string& message);

  EventLoop& loop_;
  JournalOptions options_;
  Callbacks callbacks_;
  std::deque<StreamState> streams_;  ///< the current one at the back
  JournalTail tail_;                 ///< of the current one
  std::string pending_;              ///< records not yet written
  std::size_t pending_items_ = 0;
  const Origin* origin_ = nullptr;
  std::shared_ptr<File> file_;
  std::uint64_t serial_ = 0;  ///< of the newest segment
  std::uint64_t bytes_ = 0;
  std::string boot_;
  BootTimes boots_;
  bool clock_known_ = false;
  int error_ = 0;         ///< why the disk takes nothing
  bool refused_ = false;  ///< something of the message under way
  TimePoint retry_at_{};
  std::uint64_t lost_meanwhile_ = 0;
  std::vector<std::string> to_remove_;
  std::vector<std::shared_ptr<File>> to_sync_;  ///< full segments
  bool dirty_ = false;                          ///< written and not synced
  bool new_names_ = false;                      ///< the folder is to be synced, too
  bool syncing_ = false;
  std::vector<Completion<>> waiting_;  ///< for the next sync to begin
  std::vector<Completion<>> served_;   ///< by the one under way
  std::unique_ptr<Timer> sync_timer_;
  std::unique_ptr<Timer> age_timer_;
  std::unique_ptr<Timer> read_timer_;
  Operation sync_work_;
  Operation read_work_;
  bool reading_ = false;
  std::string ready_stream_;
  Chunk ready_;
  Place place_;
  Completion<> closed_;
  JournalCounters counters_;
  log::Limiter limiter_{5};
};

}  // namespace aiot::gateway
