#pragma once

#include <string>

namespace aiot {

/// Who a session or request is, and what it may do. For now everyone may everything that reaches the
/// port; every decision point already asks.
struct Principal {
  std::string name = "anonymous";  ///< gateway name, user or token id, for logs and events
  bool may_read = true;
  bool may_write = true;
  bool may_administer = true;
};

}  // namespace aiot
