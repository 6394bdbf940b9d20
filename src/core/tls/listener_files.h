#pragma once

#include <string>

namespace aiot::tls {

/// What a listener for nodes asks of them, and shows of itself: names of files.
struct ListenerFiles {
  std::string psk;   ///< keys by identity, see parse_psk_keys(); empty for none
  std::string cert;  ///< the listener's certificate with its chain, PEM; empty for none
  std::string key;   ///< its private key; empty: in the file of the certificate
  std::string ca;    ///< authorities of the nodes' certificates, PEM

  [[nodiscard]] bool empty() const { return psk.empty() && cert.empty() && key.empty() && ca.empty(); }
};

}  // namespace aiot::tls
