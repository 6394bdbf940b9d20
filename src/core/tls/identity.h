#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "core/base/result.h"

namespace aiot::tls {

/// What a server shows of itself: certificate and private key, from files that may be read anew while it
/// runs. Connections that are open keep what they began with.
class Identity {
 public:
  /// Errc::internal names the file that cannot be read or does not fit, as `options`-cert or -key; `key` may
  /// be empty when the certificate's file holds it. A certificate out of its time is a warning.
  static Result<std::shared_ptr<Identity>> load(std::string cert, std::string key,
                                                std::string options = "--tls");
  /// Reads the files again; with an error everything stays as it was.
  Result<> reload();

  /// TLS 1.2 and 1.3 for servers, with ALPN "http/1.1". Never null.
  [[nodiscard]] const std::shared_ptr<SSL_CTX>& context() const { return context_; }
  [[nodiscard]] const std::string& cert_file() const { return cert_; }

 private:
  Identity(std::string cert, std::string key, std::string options)
      : cert_(std::move(cert)), key_(std::move(key)), options_(std::move(options)) {}

  std::string cert_, key_, options_;
  std::shared_ptr<SSL_CTX> context_;
};

}  // namespace aiot::tls
