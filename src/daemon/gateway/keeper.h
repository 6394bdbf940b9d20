#pragma once

#include <memory>
#include <string>
#include <unordered_set>
#include <vector>

#include "core/loop/event_loop.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

/// Keeps the node table on disk. A node that came, went or moved is appended at once, many together; the
/// whole is written now and then, for the nodes' values, and at the end. Text is made in slices of a turn
/// each, writing happens on a worker.
class Keeper {
 public:
  Keeper(EventLoop& loop, Policy& policy, const std::string& state_dir);
  Keeper(const Keeper&) = delete;
  Keeper& operator=(const Keeper&) = delete;
  ~Keeper();

  /// Restores what an earlier run kept. A file that cannot be understood is set aside and said so; only
  /// a folder that cannot be used, or that another gateway uses, is an error.
  Result<void> load();
  /// The node came, went or moved.
  void changed(const Node& node);
  /// Writes once more; `done` when it is on disk.
  void stop(Completion<> done);

 private:
  Result<void> lock();
  void append();
  void begin();
  void slice();
  void write(std::string text, bool whole);
  void written(const Result<void>& result, bool whole);
  bool add(const std::string& uid);

  EventLoop& loop_;
  Policy& policy_;
  std::string folder_, path_;
  int lock_ = -1;  ///< held as long as the folder is used
  Duration wait_;
  std::unique_ptr<Timer> soon_;   ///< after a change
  std::unique_ptr<Timer> later_;  ///< values and signs of life
  std::unique_ptr<Timer> slice_timer_;
  Operation writing_;
  std::unordered_set<std::string> changed_;  ///< uids that are not yet on disk as they are
  std::vector<std::string> uids_;
  std::size_t next_ = 0;
  std::size_t saved_ = 0;
  std::size_t appended_ = 0;  ///< lines since the whole was written
  bool may_append_ = false;   ///< there is a good file
  std::string text_;
  bool busy_ = false;
  bool again_ = false;
  Completion<> stopped_;
};

}  // namespace aiot::gateway
