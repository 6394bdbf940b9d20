#include "core/model/update.h"

namespace aiot {

std::string_view to_string(NodeState state) {
  switch (state) {
    case NodeState::live: return "live";
    case NodeState::stale: return "stale";
    case NodeState::out: break;
  }
  return "out";
}

}  // namespace aiot
