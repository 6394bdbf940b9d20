#include "daemon/store/sqlite_store.h"

#include <fmt/core.h>

#include <algorithm>

#include "core/base/log.h"
#include "daemon/store/event_query.h"
#include "daemon/store/history_query.h"

namespace aiot::store {
namespace {

constexpr auto kCommitAfter = std::chrono::milliseconds(200);
constexpr auto kUpkeepEvery = std::chrono::seconds(10);
constexpr std::size_t kMaxQueries = 256;  ///< at a time

Error closing_error() { return make_error(Errc::unreachable, "the broker is shutting down"); }

}  // namespace

SqliteStore::SqliteStore(EventLoop& loop, Options options) : loop_(loop), options_(std::move(options)) {
  commit_timer_ = loop.make_timer([this] {
    commit_wanted_ = true;
    schedule();
  });
  pause_timer_ = loop.make_timer([this] {
    pause_ = false;
    schedule();
  });
  upkeep_timer_ = loop.make_timer([this] {
    upkeep_wanted_ = true;
    upkeep_timer_->start(kUpkeepEvery);
    schedule();
  });
}

SqliteStore::~SqliteStore() {
  // The worker may still have some of it: whoever waits hears of the end here, not when that is done.
  if (running_job_ && running_job_->batch) running_job_->batch->waiters.clear();
  if (running_job_ && running_job_->query) queries_.push_back(running_job_->query);
  for (const auto& query : queries_)
    if (!query->cancelled) query->fail(make_error(Errc::abandoned, "the store is gone"));
}

Result<> SqliteStore::open(Restored& restored) {
  auto lock = FolderLock::take(options_.folder);
  if (!lock) return std::move(lock).error();
  Limits limits;
  limits.max_age = options_.max_age;
  limits.max_bytes = options_.max_bytes;
  limits.checkpoint_points = options_.checkpoint_points;
  worker_ = std::make_shared<Worker>(std::move(*lock), options_.folder + "/history.db", limits);
  Loaded loaded;
  std::vector<std::string> notices;
  if (auto opened = worker_->archive.open(loaded, notices); !opened) return opened;
  names_.load(loaded.nodes, loaded.series, loaded.next_node, loaded.next_series);
  for (const auto& [gateway, stream, sequence] : loaded.streams) {
    streams_.recorded(gateway, stream, sequence);
    streams_.committed(gateway, stream, sequence);
  }
  restored = std::move(loaded.restored);
  last_event_ = restored.last_event;
  counters_.bytes = worker_->archive.bytes();
  for (auto& notice : notices) {
    loop_.post([this, alive = std::weak_ptr<char>(alive_), notice = std::move(notice)] {
      if (!alive.expired()) tell("store_damaged", notice);
    });
  }
  upkeep_timer_->start(kUpkeepEvery);
  return {};
}

void SqliteStore::tell(const std::string& type, const std::string& message) {
  if (options_.notice) {
    options_.notice(type, message);
  } else {
    log::warn("{}", message);
  }
}

void SqliteStore::changed() {
  if (!commit_timer_->armed()) commit_timer_->start(kCommitAfter);
}

void SqliteStore::put(Change change, std::size_t bytes) {
  if (closing_) return;
  pending_.group.changes.push_back(std::move(change));
  pending_.group.change_bytes += sizeof(Change) + bytes;
  changed();
}

bool SqliteStore::accept(const ValueView& value) {
  if (!closing_ && value.bytes.size() <= kMaxValueBytes && queued() <= 2 * options_.queue_bytes) return true;
  ++counters_.dropped;
  lossy_ = lossy_ || value.bytes.size() <= kMaxValueBytes;
  return false;
}

void SqliteStore::update(std::string_view uid, const ValueView& value) {
  if (!accept(value)) return;
  Group& group = pending_.group;
  const SeriesId series = names_.series(uid, value.resource, group);
  put_record(group.log, RecordKind::update, series, value, group.previous);
  ++group.updates;
  ++counters_.updates;
  changed();
}

void SqliteStore::last_value(std::string_view uid, const ValueView& value) {
  if (closing_ || value.bytes.size() > kMaxValueBytes || queued() > 2 * options_.queue_bytes) return;
  Group& group = pending_.group;
  put_record(group.log, RecordKind::last_value, names_.series(uid, value.resource, group), value,
             group.previous);
  changed();
}

void SqliteStore::node(const NodeRecord& node) {
  std::size_t bytes = node.uid.size() + node.address.size();
  for (const auto& [name, value] : node.labels) bytes += name.size() + value.size();
  const NodeId id = names_.node(node.uid, pending_.group);
  auto& changes = pending_.group.changes;
  // Only the latest of a node counts: a store that cannot be written must not fill memory with the others.
  if (const auto before = node_changes_.find(id); before != node_changes_.end()) {
    std::get<NodeChange>(changes[before->second]).record = node;
    return;
  }
  if (!closing_) node_changes_.emplace(id, changes.size());
  put(NodeChange{id, node}, bytes);
}

void SqliteStore::forget(std::string_view uid) {
  const auto node = names_.find(uid);
  put(Forgotten{node.value_or(0), std::string(uid)}, uid.size());
  names_.forget(uid);
}

void SqliteStore::clear_values(std::string_view uid) {
  const auto node = names_.find(uid);
  if (closing_ || !node) return;
  put_record(pending_.group.log, RecordKind::clear, *node, {}, pending_.group.previous);
  changed();
}

void SqliteStore::gateway(const GatewayRecord& gateway) {
  put(gateway, gateway.name.size() + gateway.software.size());
  if (gateway.stream.empty()) return;
  streams_.use(gateway.name, gateway.stream);
  put(StreamPosition{gateway.name, gateway.stream, 0}, gateway.stream.size());
}

std::uint64_t SqliteStore::event(Event event) {
  event.id = ++last_event_;
  if (queued() > 2 * options_.queue_bytes) return last_event_;  // as updates
  const std::size_t bytes = event.message.size() + event.data.size();
  put(std::move(event), bytes);
  return last_event_;
}

void SqliteStore::write(const KeptWrite& write) { put(write, write.key.size() + write.outcome.size()); }

void SqliteStore::commit(std::string_view gateway, std::string_view stream, std::uint64_t sequence,
                         Completion<> done) {
  Waiter waiter;
  waiter.done = std::move(done);
  const bool refused = closing_ || (std::exchange(lossy_, false) && !gateway.empty());
  if (refused) {
    loop_.post([waiting = std::move(waiter.done)]() mutable {
      waiting(make_error(Errc::internal, "the store has no room for it"));
    });
    return;
  }
  if (!gateway.empty()) {
    streams_.recorded(gateway, stream, sequence);
    waiter.position = {std::string(gateway), std::string(stream), sequence};
    // Several in one group: the last is what counts.
    auto* latest = pending_.group.changes.empty()
                       ? nullptr
                       : std::get_if<StreamPosition>(&pending_.group.changes.back());
    if (latest != nullptr && latest->gateway == gateway && latest->stream == stream) {
      latest->sequence = std::max(latest->sequence, sequence);
    } else {
      put(waiter.position, gateway.size() + stream.size());
    }
  }
  pending_.waiters.push_back(std::move(waiter));
  commit_wanted_ = true;
  // At the end of the turn: what else it brings goes along.
  if (std::exchange(scheduled_, true)) return;
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    scheduled_ = false;
    schedule();
  });
}

Operation SqliteStore::ask(std::shared_ptr<Query> query) {
  if (closing_ || queries_.size() >= kMaxQueries) {
    loop_.post([query, closing = closing_] {
      if (query->cancelled) return;
      query->fail(closing ? closing_error()
                          : make_error(Errc::unreachable, "too many queries wait for the store: try again"));
    });
  } else {
    // What was recorded before it is part of the answer.
    query->after = batch_number_ - (pending_.empty() ? 1 : 0);
    queries_.push_back(query);
    commit_wanted_ = true;
    loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
      if (!alive.expired()) schedule();
    });
  }
  return Operation([query = std::move(query)] { query->cancel(); });
}

Operation SqliteStore::history(HistoryQuery query, Completion<HistoryPage> done) {
  const auto refuse = [&](Error error) {
    auto waiting = std::make_shared<Completion<HistoryPage>>(std::move(done));
    loop_.post([waiting, error = std::move(error)] { (*waiting)(error); });
    return Operation([waiting] { waiting->dismiss(); });
  };
  if (query.limit == 0) return refuse(make_error(Errc::usage, "a limit of 0 asks for nothing"));
  if (query.step.count() < 0) return refuse(make_error(Errc::usage, "a step must not be negative"));
  Cursor cursor;
  if (!query.cursor.empty()) {
    auto parsed = parse_cursor(query.cursor);
    if (!parsed) return refuse(std::move(parsed).error());
    cursor = *parsed;
    query.from = std::max(query.from, cursor.time);
  }
  query.limit = std::min(query.limit, kMaxHistoryPage);
  // What is too old may be in the file until its block is.
  if (options_.max_age > Duration::zero())
    query.from =
        std::max(query.from,
                 loop_.wall_now() - std::chrono::duration_cast<std::chrono::milliseconds>(options_.max_age));
  const auto series = names_.find(query.uid, query.resource);
  return ask(std::make_shared<HistoryRun>(std::move(query), series.value_or(0), cursor, std::move(done)));
}

Operation SqliteStore::events(EventQuery query, Completion<std::vector<Event>> done) {
  query.limit = std::min(query.limit, kMaxEventPage);
  return ask(std::make_shared<EventRun>(std::move(query), std::move(done)));
}

Counters SqliteStore::counters() const {
  Counters out = counters_;
  out.queued = queued();
  return out;
}

void SqliteStore::close(Completion<> done) {
  closing_ = true;
  closed_ = std::move(done);
  commit_timer_->stop();
  upkeep_timer_->stop();
  pause_timer_->stop();
  loop_.post([this, alive = std::weak_ptr<char>(alive_)] {
    if (alive.expired()) return;
    for (const auto& query : std::exchange(queries_, {}))
      if (!query->cancelled) query->fail(closing_error());
    schedule();
  });
}

Result<std::unique_ptr<Store>> open_sqlite_store(EventLoop& loop, Options options, Restored& restored) {
  auto store = std::make_unique<SqliteStore>(loop, std::move(options));
  if (auto opened = store->open(restored); !opened) return std::move(opened).error();
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace aiot::store
