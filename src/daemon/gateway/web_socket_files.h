#pragma once

#include <string>

namespace aiot::gateway {

/// Whom the listener for WebSocket nodes takes, and what it shows of itself.
struct WebSocketFiles {
  std::string tokens;  ///< of nodes; empty: nodes need none
  std::string cert;    ///< with its chain, PEM; empty: no TLS
  std::string key;     ///< empty: in the certificate's file

  [[nodiscard]] bool empty() const { return tokens.empty() && cert.empty() && key.empty(); }
};

}  // namespace aiot::gateway
