#pragma once

#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "core/loop/event_loop.h"
#include "daemon/store/job.h"
#include "daemon/store/names.h"
#include "daemon/store/store.h"
#include "daemon/store/streams.h"

namespace aiot::store {

/// The loop's half of the store: numbers names, encodes what is recorded, and runs the worker's jobs one at a
/// time, commits in turn with slices of queries and upkeep.
class SqliteStore final : public Store {
 public:
  SqliteStore(EventLoop& loop, Options options);
  ~SqliteStore() override;
  Result<> open(Restored& restored);

  [[nodiscard]] Position position(std::string_view gateway, std::string_view stream) const override {
    return streams_.position(gateway, stream);
  }
  [[nodiscard]] std::string stream_of(std::string_view gateway) const override {
    return streams_.current(gateway);
  }
  void update(std::string_view uid, const ValueView& value) override;
  void last_value(std::string_view uid, const ValueView& value) override;
  void node(const NodeRecord& node) override;
  void forget(std::string_view uid) override;
  void clear_values(std::string_view uid) override;
  void gateway(const GatewayRecord& gateway) override;
  std::uint64_t event(Event event) override;
  void write(const KeptWrite& write) override;
  void commit(std::string_view gateway, std::string_view stream, std::uint64_t sequence,
              Completion<> done) override;
  [[nodiscard]] bool full() const override { return queued() > options_.queue_bytes; }
  Operation history(HistoryQuery query, Completion<HistoryPage> done) override;
  Operation events(EventQuery query, Completion<std::vector<Event>> done) override;
  [[nodiscard]] Counters counters() const override;
  void close(Completion<> done) override;

 private:
  [[nodiscard]] std::uint64_t queued() const { return pending_.group.bytes() + running_bytes_; }
  bool accept(const ValueView& value);
  void put(Change change, std::size_t bytes);
  void changed();
  Operation ask(std::shared_ptr<Query> query);
  void schedule();
  void start(JobKind kind);
  void finished(Job& job);
  void commit_finished(Job& job);
  void query_finished(const Job& job);
  /// Tells once that it fails, and once that it does no more.
  void failed(const Job& job);
  void succeeded();
  /// A new database does not have what the old one had: what names and streams are called goes first.
  void declare();
  void tell(const std::string& type, const std::string& message);

  EventLoop& loop_;
  Options options_;
  std::shared_ptr<Worker> worker_;
  std::shared_ptr<char> alive_ = std::make_shared<char>();
  Names names_;
  Streams streams_;
  std::uint64_t last_event_ = 0;
  Counters counters_;

  Batch pending_;
  std::unordered_map<NodeId, std::size_t> node_changes_;  ///< where in `pending_` the change of a node is
  std::unique_ptr<Batch> retry_;                          ///< could not be committed: goes first
  std::uint64_t running_bytes_ = 0;  ///< of the batch that is committed, or tried again later
  std::string spare_log_;            ///< its room is used again
  bool commit_wanted_ = false;
  bool pause_ = false;    ///< after a failure
  bool failing_ = false;  ///< an operator was told
  bool lossy_ = false;    ///< something was dropped since the last commit()
  bool upkeep_wanted_ = false;
  std::uint64_t batch_number_ = 1;  ///< of `pending_`
  std::uint64_t tried_ = 0;         ///< the last batch that was committed, or could not be
  std::deque<std::shared_ptr<Query>> queries_;
  JobKind before_ = JobKind::close;  ///< of the job before, to take turns
  bool queried_ = false;             ///< of queries and upkeep, which was last
  std::shared_ptr<Job> running_job_;
  Operation job_;
  bool scheduled_ = false;
  bool closing_ = false;
  Completion<> closed_;
  std::unique_ptr<Timer> commit_timer_, pause_timer_, upkeep_timer_;
};

}  // namespace aiot::store
