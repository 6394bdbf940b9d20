#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "daemon/store/archive.h"
#include "daemon/store/query.h"
#include "daemon/store/schema.h"

namespace aiot::store {

struct Waiter {
  Completion<> done;
  StreamPosition position;  ///< without a gateway: none
};

/// What goes into one transaction, and who waits for it.
struct Batch {
  Group group;
  std::vector<Waiter> waiters;
  std::uint64_t number = 0;

  [[nodiscard]] bool empty() const { return group.empty() && waiters.empty(); }
};

/// What jobs use, one at a time; a job that still runs keeps it when the store is gone.
struct Worker {
  Worker(std::unique_ptr<FolderLock> folder_lock, const std::string& path, const Limits& limits)
      : lock(std::move(folder_lock)), archive(path, limits) {}
  std::unique_ptr<FolderLock> lock;  // let go of last
  Archive archive;
};

enum class JobKind : std::uint8_t { commit, query, upkeep, close };

/// What a job takes to the worker and brings back.
struct Job {
  JobKind kind = JobKind::commit;
  std::unique_ptr<Batch> batch;
  std::shared_ptr<Query> query;
  WallTime now{};

  bool good = false;      ///< the batch is stored
  bool done = false;      ///< the query has its answer
  bool more = false;      ///< upkeep wants another slice
  bool replaced = false;  ///< the database is a new one
  Failure failure = Failure::none;
  std::string message;    ///< of `failure`
  std::string recovered;  ///< of `replaced`
  std::uint64_t bytes = 0;
  std::uint64_t expired = 0;

  /// On the worker.
  void run(Archive& archive);
};

}  // namespace aiot::store
