#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/loop/event_loop.h"
#include "daemon/gateway/policy.h"

namespace aiot::gateway {

/// Keeps the node table on disk: soon after nodes came or went, now and then for their values, and at the
/// end. Text is made in slices of a turn each, writing happens on a worker.
class Keeper {
 public:
  Keeper(EventLoop& loop, Policy& policy, const std::string& state_dir);
  ~Keeper();

  /// Restores what an earlier run kept. A file that cannot be understood is set aside and said so; only
  /// a folder that cannot be used is an error.
  Result<void> load();
  /// Nodes came, went or moved.
  void changed();
  /// Writes once more; `done` when it is on disk.
  void stop(Completion<> done);

 private:
  void begin();
  void slice();
  void write();
  void written();

  EventLoop& loop_;
  Policy& policy_;
  std::string folder_, path_;
  std::unique_ptr<Timer> soon_;   ///< after a change
  std::unique_ptr<Timer> later_;  ///< values and signs of life
  std::unique_ptr<Timer> slice_timer_;
  Operation writing_;
  std::vector<std::string> uids_;
  std::size_t next_ = 0;
  std::size_t saved_ = 0;
  std::string text_;
  bool busy_ = false;
  bool again_ = false;
  Completion<> stopped_;
};

}  // namespace aiot::gateway
