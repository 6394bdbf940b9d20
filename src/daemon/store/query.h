#pragma once

#include <cstdint>

#include "core/base/result.h"

namespace aiot::store {

class Archive;

/// A question that is answered in slices, so that commits go between. Its answer is the loop's once it is
/// done.
class Query {
 public:
  virtual ~Query() = default;
  /// On the worker: a bounded piece of the work; true when it is done.
  virtual bool run(Archive& archive) = 0;
  /// On the loop.
  virtual void answer() = 0;
  virtual void fail(Error error) = 0;

  /// On the loop: nothing is called any more.
  void cancel() {
    cancelled = true;
    dismiss();
  }

  // The loop's:
  bool cancelled = false;
  std::uint64_t after = 0;  ///< the batch that must have been tried first

 private:
  virtual void dismiss() = 0;
};

}  // namespace aiot::store
