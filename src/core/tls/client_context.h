#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "core/base/result.h"
#include "core/tls/client_files.h"

namespace aiot::tls {

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};

/// The newest error of OpenSSL on this thread in words; clears all of them.
[[nodiscard]] std::string openssl_reason();
/// True for what is verified and told (SNI) as a name, and not as an address.
[[nodiscard]] bool is_name(const std::string& host);
/// Loads certificate chain and private key and checks that they belong together. Errc::internal names the
/// option (with its file) that is wrong: `cert_option` and `key_option` are what the user calls them.
/// Errc::usage when others can write the key.
Result<> load_certificate(SSL_CTX& context, const std::string& cert, const std::string& key,
                          const char* cert_option, const char* key_option);

/// The SSL_CTX for connections to one host: TLS 1.2 or later, and a server that shows a certificate for that
/// name or address by an authority that is trusted. The files are read when it is made.
class ClientContext {
 public:
  /// Errc::internal for a file that cannot be read or does not fit, naming it.
  static Result<std::shared_ptr<ClientContext>> make(const ClientFiles& files, const std::string& host);
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;
  ~ClientContext() = default;

  [[nodiscard]] SSL_CTX* get() const { return context_.get(); }
  /// Why the server's certificate was refused last, or the alert with which the server ended TLS; empty when
  /// neither was.
  [[nodiscard]] const std::string& failure() const { return failure_; }
  void clear_failure() { failure_.clear(); }
  /// Says the host's name to the server before a handshake (SNI; no address, RFC 6066 section 3).
  void name_server(SSL* ssl) const;
  /// Gives a connection that a library has made with a context of its own what this one has: whom to trust,
  /// which name to verify and to say, which certificate to show. It must outlive the connection. False when
  /// OpenSSL refuses.
  bool equip(SSL* ssl);
  /// The context's info callback (SSL_CTX_set_info_callback(3)), to be called on by one that replaces it.
  static void informed(const SSL* ssl, int where, int code) noexcept;

 private:
  explicit ClientContext(std::string host) : host_(std::move(host)) {}
  Result<> configure(const ClientFiles& files);
  static int verify(X509_STORE_CTX* store, void* self) noexcept;
  static int note(int good, X509_STORE_CTX* store) noexcept;

  std::unique_ptr<SSL_CTX, FreeContext> context_;
  std::string host_;
  std::string failure_;
};

}  // namespace aiot::tls
