#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/tls/client_context.h"
#include "core/tls/listener_files.h"
#include "core/tls/psk_keys.h"

namespace aiot::tls {

/// Whom a listener for nodes takes: whoever has a key of the file, or a certificate by its authorities. The
/// files may be read anew while it runs; whose peer has lost what it came with is to be closed then.
class ListenerSecurity {
 public:
  /// Errc::usage when neither keys nor certificates are named, or only half of what certificates need;
  /// Errc::internal names the file that cannot be read or does not fit, by the option it was named with
  /// ("--coaps-cert").
  static Result<std::shared_ptr<ListenerSecurity>> load(ListenerFiles files);
  /// Reads the files again; with an error everything stays as it was.
  Result<> reload();

  /// The key that goes with an identity; null for a stranger.
  [[nodiscard]] const std::string* key(std::string_view identity) const;
  [[nodiscard]] std::size_t keys() const { return keys_.size(); }
  /// Gives a server's connection, before it answers the hello, certificate and authorities, and makes it ask
  /// for the peer's certificate. False when there are none: such a peer cannot be taken.
  bool equip(SSL* ssl) const;
  /// Whether the certificate that the connection's peer has shown is good still.
  [[nodiscard]] bool trusts(const SSL* ssl) const;

 private:
  explicit ListenerSecurity(ListenerFiles files) : files_(std::move(files)) {}

  ListenerFiles files_;
  PskKeys keys_;
  std::unique_ptr<SSL_CTX, FreeContext> certificates_;
};

/// The subject (RFC 4514) of the certificate with which the peer of a connection has proved who it is; empty
/// before that, and for a peer without one.
[[nodiscard]] std::string certified_subject(const SSL* ssl);

}  // namespace aiot::tls
