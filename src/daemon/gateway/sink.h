#pragma once

#include "core/base/completion.h"

namespace aiot::gateway {

/// What keeps updates safe before they are acknowledged to their nodes: memory, or a journal on disk.
class Sink {
 public:
  virtual ~Sink() = default;
  /// True when all that was handed over so far is kept: the acknowledgement may leave at once.
  [[nodiscard]] virtual bool stored() const = 0;
  /// Else `done` follows when it is, or with an error (the node is answered 5.03).
  virtual void when_stored(Completion<> done) = 0;
};

/// Memory keeps what it is given.
class MemorySink final : public Sink {
 public:
  [[nodiscard]] bool stored() const override { return true; }
  void when_stored(Completion<> done) override { done(Result<>()); }
};

}  // namespace aiot::gateway
