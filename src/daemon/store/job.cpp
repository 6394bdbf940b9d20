#include "daemon/store/job.h"

#include "core/base/log.h"
#include "daemon/store/sqlite_store.h"

namespace aiot::store {
namespace {

constexpr auto kRetryAfter = std::chrono::seconds(1);
constexpr std::size_t kSpareLog = 4UL * 1024 * 1024;

}  // namespace

void Job::run(Archive& archive) {
  if (kind == JobKind::close) {
    archive.close();
    return;
  }
  if (archive.database() == nullptr) replaced = archive.recover();
  if (archive.database() != nullptr) {
    switch (kind) {
      case JobKind::commit: good = batch->group.empty() || archive.commit(batch->group); break;
      case JobKind::query: done = query->run(archive); break;
      case JobKind::upkeep: more = archive.maintain(now); break;
      case JobKind::close: break;
    }
  }
  failure = archive.failure();
  if (failure != Failure::none) message = archive.message();
  if (failure == Failure::damaged) replaced = archive.recover();
  if (replaced) recovered = archive.recovered();
  more = more || archive.busy();
  bytes = archive.bytes();
  expired = archive.expired();
}

void SqliteStore::schedule() {
  if (running_job_ || !worker_) return;
  while (!queries_.empty() && queries_.front()->cancelled) queries_.pop_front();
  const bool batch = retry_ || !pending_.empty();
  const bool commit = batch && (closing_ || (commit_wanted_ && !pause_));
  const bool query = !queries_.empty() && (queries_.front()->after <= tried_ || failing_);
  const bool upkeep = upkeep_wanted_ && !closing_;
  if (commit && (before_ != JobKind::commit || !(query || upkeep))) {
    start(JobKind::commit);
  } else if (query && !(queried_ && upkeep)) {
    start(JobKind::query);
  } else if (upkeep) {
    start(JobKind::upkeep);
  } else if (commit) {
    start(JobKind::commit);
  } else if (closing_) {
    start(JobKind::close);
  }
}

void SqliteStore::start(JobKind kind) {
  auto job = std::make_shared<Job>();
  job->kind = kind;
  job->now = loop_.wall_now();
  before_ = kind;
  switch (kind) {
    case JobKind::commit:
      job->batch = std::move(retry_);
      if (!job->batch) {
        job->batch = std::make_unique<Batch>(std::exchange(pending_, {}));
        node_changes_.clear();
        job->batch->number = batch_number_++;
        running_bytes_ = job->batch->group.bytes();
        pending_.group.log = std::exchange(spare_log_, {});
        commit_wanted_ = false;
        commit_timer_->stop();
      }
      break;
    case JobKind::query:
      queried_ = true;
      job->query = std::move(queries_.front());
      queries_.pop_front();
      break;
    case JobKind::upkeep:
      queried_ = false;
      upkeep_wanted_ = false;
      break;
    case JobKind::close: break;
  }
  running_job_ = job;
  job_ = loop_.work([worker = worker_, job] { job->run(worker->archive); },
                    [this, job] {
                      running_job_.reset();
                      finished(*job);
                    });
}

void SqliteStore::finished(Job& job) {
  if (job.kind == JobKind::close) {
    worker_.reset();
    closed_({});
    return;
  }
  counters_.bytes = job.bytes;
  counters_.expired = job.expired;
  if (job.more && job.failure == Failure::none) upkeep_wanted_ = true;
  if (job.replaced) tell("store_damaged", job.recovered);
  if (job.kind == JobKind::commit) {
    commit_finished(job);
    return;
  }
  if (job.replaced) declare();
  if (job.kind == JobKind::query) {
    query_finished(job);
    return;
  }
  if (job.failure != Failure::none && !job.replaced) log::debug("upkeep of the store waits: {}", job.message);
  schedule();
}

void SqliteStore::declare() {
  Group names;
  names_.declare(names);
  for (auto& position : streams_.all()) names.changes.emplace_back(std::move(position));
  Group& first = retry_ ? retry_->group : pending_.group;
  first.change_bytes += names.change_bytes;
  for (auto& change : first.changes) names.changes.push_back(std::move(change));
  first.changes = std::move(names.changes);
  if (!retry_) node_changes_.clear();  // they stand elsewhere now
  commit_wanted_ = true;
}

void SqliteStore::commit_finished(Job& job) {
  tried_ = job.batch->number;
  if (!job.good) {
    ++counters_.failures;
    retry_ = std::move(job.batch);
    commit_wanted_ = true;
    if (job.replaced) {
      declare();
    } else if (closing_) {
      // It cannot be: whoever waits is told, and their gateways keep what was theirs.
      const auto lost = std::exchange(retry_, nullptr);
      for (auto* batch : {lost.get(), &pending_})
        for (auto& waiter : std::exchange(batch->waiters, {}))
          waiter.done(make_error(Errc::internal, "cannot write " + job.message));
      pending_ = {};
      node_changes_.clear();
      worker_.reset();
      closed_(make_error(Errc::internal, "cannot write " + job.message));
      return;
    } else {
      failed(job);
      pause_ = true;
      pause_timer_->start(kRetryAfter);
    }
    schedule();
    return;
  }
  succeeded();
  if (job.replaced) declare();
  Batch& batch = *job.batch;
  ++counters_.commits;
  counters_.stored += batch.group.updates;
  running_bytes_ = 0;
  for (const auto& waiter : batch.waiters)
    if (!waiter.position.gateway.empty())
      streams_.committed(waiter.position.gateway, waiter.position.stream, waiter.position.sequence);
  if (batch.group.log.capacity() <= kSpareLog) {
    spare_log_ = std::move(batch.group.log);
    spare_log_.clear();
  }
  schedule();
  // Last: a completion may end the store.
  for (auto& waiter : batch.waiters) waiter.done({});
}

void SqliteStore::query_finished(const Job& job) {
  const auto query = job.query;
  const bool failing = job.failure != Failure::none;
  if (!query->cancelled && !failing && !job.done && !closing_) queries_.push_back(query);
  const bool answered = failing || job.done || closing_;
  schedule();
  if (query->cancelled || !answered) return;
  if (failing || !job.done) {
    query->fail(
        make_error(Errc::internal, failing ? "cannot read " + job.message : "the broker is shutting down"));
  } else {
    query->answer();
  }
}

void SqliteStore::failed(const Job& job) {
  if (std::exchange(failing_, true)) return;
  tell("store_failed",
       "cannot write " + job.message + "; what arrives waits, and it is tried again every second");
}

void SqliteStore::succeeded() {
  if (!std::exchange(failing_, false)) return;
  tell("store_recovered", "the store can be written again, and what waited is stored");
}

}  // namespace aiot::store
