#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/completion.h"
#include "core/base/time.h"
#include "core/model/update.h"

namespace aiot {

class EventLoop;

namespace store {

/// The value of a resource at one time. What a view of it shows lives as long as the call.
struct ValueView {
  std::string_view resource;
  std::string_view bytes;
  WallTime time{};
  std::optional<std::uint16_t> content_format;
  bool raw_json = false;  ///< `bytes` are JSON of another type than text
  bool time_uncertain = false;
};

/// The same, owned.
struct Value {
  std::string resource;
  std::string bytes;
  WallTime time{};
  std::optional<std::uint16_t> content_format;
  bool raw_json = false;
  bool time_uncertain = false;
};

/// A node without its values.
struct NodeRecord {
  std::string uid;
  std::string protocol;
  std::string address;
  std::uint8_t address_kind = 0;  ///< the broker's
  std::string gateway;            ///< that owns it
  NodeState state = NodeState::live;
  bool hidden = false;
  WallTime first_seen{};
  WallTime last_seen{};
  std::uint64_t resets = 0;
  std::uint64_t timeouts = 0;
  std::uint64_t rejected_writes = 0;
  std::vector<std::pair<std::string, std::string>> labels;
};

struct GatewayRecord {
  std::string name;
  std::string site;
  std::string stream;
  std::string software;
  bool native = false;
  WallTime last_seen{};
  std::uint64_t sequence = 0;  ///< the highest stored of `stream`; not written by gateway(), but by commit()
};

/// Something that happened: joined, out, reset, gap, write ...
struct Event {
  std::uint64_t id = 0;  ///< given by the store, rising
  WallTime time{};
  std::string type;
  std::string gateway;
  std::string uid;
  std::string message;  ///< a sentence for people
  std::string data;     ///< further members as a JSON object, or empty
};

/// A write with a key (Idempotency-Key), so that a repeat does not act again.
struct KeptWrite {
  std::string key;
  WallTime begun{};
  std::string outcome;  ///< empty until it is known
};

/// What a start finds.
struct Restored {
  struct Node {
    NodeRecord record;
    std::vector<Value> values;
  };
  std::vector<GatewayRecord> gateways;
  std::vector<Node> nodes;
  std::vector<KeptWrite> writes;
  std::uint64_t last_event = 0;
};

struct HistoryQuery {
  std::string uid, resource;
  WallTime from{};                   ///< inclusive
  WallTime to = WallTime::max();     ///< exclusive
  std::chrono::milliseconds step{};  ///< zero: raw points; else one bucket a step, aligned to 1970
  std::size_t limit = 1000;          ///< points or buckets
  std::string cursor;                ///< of the page before
};
/// What fell into one step. Steps in which nothing was stored are left out.
struct Bucket {
  WallTime time{};            ///< its begin
  std::uint64_t count = 0;    ///< updates
  std::uint64_t numbers = 0;  ///< of which so many read as numbers (core/codec), for:
  double min = 0, max = 0;
  long double sum = 0;  ///< of values that each are a double: wider, or it is soon infinite
  std::string last;     ///< the last value
};
struct HistoryPage {
  std::vector<Value> points;  ///< by time, then in order of arrival; `resource` is left empty
  std::vector<Bucket> buckets;
  std::string next;  ///< cursor; empty: there is no more
};

struct EventQuery {
  WallTime from{};
  WallTime to = WallTime::max();
  std::string uid, type;
  std::uint64_t after = 0;   ///< ids above this only
  std::size_t limit = 1000;  ///< oldest first
  bool newest = false;       ///< the newest `limit` of them, still oldest first
};

struct Counters {
  std::uint64_t updates = 0;   ///< recorded
  std::uint64_t dropped = 0;   ///< not recorded: twice as much waited as full() allows, or it was too large
  std::uint64_t stored = 0;    ///< of them committed
  std::uint64_t commits = 0;   ///< transactions
  std::uint64_t failures = 0;  ///< transactions that failed and are tried again
  std::uint64_t expired = 0;   ///< updates removed by age or size
  std::uint64_t bytes = 0;     ///< on disk
  std::uint64_t queued = 0;    ///< bytes recorded and not committed
};

/// What the broker keeps: nodes with their last values, gateways, the history of every update, events, writes
/// with keys. One SQLite database now; narrow enough that a server's can take its place.
///
/// Records are copied at the call and written on a worker, many in one transaction, in the order in which
/// they were made. What cannot be written (a full disk) stays queued and is tried again until it can, while
/// `full()` says when no more should come; completions wait for it.
class Store {
 public:
  virtual ~Store() = default;

  /// The numbers of one gateway's stream: `recorded` are here, and will not be recorded twice; `committed`
  /// are on disk. Zeros for a stream that is not known.
  struct Position {
    std::uint64_t recorded = 0, committed = 0;
  };
  [[nodiscard]] virtual Position position(std::string_view gateway, std::string_view stream) const = 0;
  /// The stream that gateway last used; empty for none.
  [[nodiscard]] virtual std::string stream_of(std::string_view gateway) const = 0;

  /// One update, as it arrived: into history, and the node's last value unless one is newer there.
  virtual void update(std::string_view uid, const ValueView& value) = 0;
  /// A last value that is no update of its own: nothing for history.
  virtual void last_value(std::string_view uid, const ValueView& value) = 0;
  virtual void node(const NodeRecord& node) = 0;
  /// The node, its last values, its history and its events.
  virtual void forget(std::string_view uid) = 0;
  /// Only its last values (an operator forgot a node whose gateway still hears it).
  virtual void clear_values(std::string_view uid) = 0;
  virtual void gateway(const GatewayRecord& gateway) = 0;
  /// Returns its id.
  virtual std::uint64_t event(Event event) = 0;
  virtual void write(const KeptWrite& write) = 0;

  /// All recorded so far goes to disk, together with the fact that everything of that stream up to `sequence`
  /// is there (an empty `gateway`: no such fact). `done` once it is there. Without any commit it goes within
  /// 200 ms.
  virtual void commit(std::string_view gateway, std::string_view stream, std::uint64_t sequence,
                      Completion<> done) = 0;
  /// So much waits that gateways should hold back.
  [[nodiscard]] virtual bool full() const = 0;

  /// Errc::usage for a query or cursor that makes no sense. An unknown node or resource is an empty page.
  virtual Operation history(HistoryQuery query, Completion<HistoryPage> done) = 0;
  virtual Operation events(EventQuery query, Completion<std::vector<Event>> done) = 0;

  [[nodiscard]] virtual Counters counters() const = 0;
  /// Writes what is left; `done` when it is on disk or cannot be.
  virtual void close(Completion<> done) = 0;
};

struct Options {
  std::string folder;                              ///< the database is in it
  Duration max_age = std::chrono::hours(24 * 30);  ///< of history and events; zero: for ever
  std::uint64_t max_bytes = 0;                     ///< oldest out beyond it; zero: no bound
  std::uint64_t queue_bytes = 64UL * 1024 * 1024;  ///< that wait: then it is full()
  /// Updates in memory and in the log of arrivals, until a checkpoint moves them to their series.
  std::uint64_t checkpoint_points = 500'000;
  /// Told what an operator should know: a file set aside, a full disk, its end. On the loop.
  UniqueFunction<void(const std::string& type, const std::string& message)> notice;
};
/// Opens or makes the database, and reads what is there; blocks. A damaged file is set aside, said so, and
/// begun anew; Errc::internal with the path for one of a newer version, one another broker uses, or a folder
/// that cannot be used.
Result<std::unique_ptr<Store>> open_sqlite_store(EventLoop& loop, Options options, Restored& restored);
/// Keeps positions, events (the last 10,000) and no history: for a broker without a state directory.
std::unique_ptr<Store> make_memory_store(EventLoop& loop);

}  // namespace store
}  // namespace aiot
