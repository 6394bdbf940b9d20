#pragma once

#include "core/base/completion.h"
#include "daemon/gateway/journal_file.h"

namespace aiot::gateway {

/// What keeps updates safe before they are acknowledged to their nodes: memory, or a journal on disk.
class Sink {
 public:
  virtual ~Sink() = default;
  /// A message of a node begins to be handled; `origin` names it where it may be repeated over a restart, and
  /// lives until the next call.
  virtual void begin(const Origin* origin) = 0;
  /// True when all that the message brought is kept: the acknowledgement may leave at once.
  [[nodiscard]] virtual bool stored() = 0;
  /// Else `done` follows when it is, or with an error (the node is answered 5.03).
  virtual void when_stored(Completion<> done) = 0;
};

}  // namespace aiot::gateway
