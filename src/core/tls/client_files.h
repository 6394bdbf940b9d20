#pragma once

#include <string>

namespace aiot::tls {

/// What a client checks a server by, and what it shows of itself: names of PEM files.
struct ClientFiles {
  std::string ca;    ///< authorities to trust; empty: the system's (or SSL_CERT_FILE's)
  std::string cert;  ///< the client's certificate, with its chain; empty for none
  std::string key;   ///< its private key; empty: in the file of the certificate
  /// The certificates in `ca` are the server's own, to be shown whatever names they hold.
  bool pinned = false;

  [[nodiscard]] bool empty() const { return ca.empty() && cert.empty() && key.empty(); }
};

}  // namespace aiot::tls
