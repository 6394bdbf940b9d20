#pragma once

#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/mqtt/session.h"

namespace aiot::mqtt {

/// The SSL_CTX that libmosquitto is given: it verifies `host`, by name or address, against the authorities of
/// `options`, says that name to the server (SNI), and offers its protocols (ALPN). libmosquitto itself knows
/// only an address by then, with which it could do neither.
class TlsContext {
 public:
  /// Errc::internal for a file that cannot be read or does not fit, naming it.
  static Result<std::unique_ptr<TlsContext>> make(const TlsOptions& options, const std::string& host);
  virtual ~TlsContext() = default;
  /// The SSL_CTX.
  [[nodiscard]] virtual void* native() = 0;
  /// Why the server's certificate was refused the last time, or the alert it sent; empty when neither was.
  [[nodiscard]] virtual const std::string& failure() const = 0;
  /// The next handshake happens on `fd`, put in place of whatever socket OpenSSL was given, before the first
  /// byte leaves: libmosquitto begins it as soon as it believes itself connected.
  virtual void begin_on(int fd) = 0;
  [[nodiscard]] virtual bool in_handshake() const = 0;
};

}  // namespace aiot::mqtt
