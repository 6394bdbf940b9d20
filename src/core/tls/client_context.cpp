#include "core/tls/client_context.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pemerr.h>
#include <openssl/x509err.h>
#include <openssl/x509v3.h>

#include <cstring>

#include "core/base/secret_file.h"
#include "core/base/text.h"

namespace aiot::tls {
namespace {

/// Where an SSL_CTX keeps the ClientContext it belongs to.
int owner_index() {
  static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

/// Where an SSL keeps the ClientContext that has equipped it.
int equipped_index() {
  static const int index = SSL_get_ex_new_index(0, nullptr, nullptr, nullptr, nullptr);
  return index;
}

Error failed(const std::string& what) {
  return make_error(Errc::internal, fmt::format("{}: {}", text::escape_controls(what), openssl_reason()));
}

/// What cannot be read as `kind`, in words for who has made the file.
Error unreadable(const std::string& what, const char* kind) {
  const auto code = ERR_peek_error();
  const int reason = ERR_GET_REASON(code);
  const auto says = [&](std::string why) {
    ERR_clear_error();
    return make_error(Errc::internal, fmt::format("{}: {}", text::escape_controls(what), why));
  };
  if (reason == ERR_R_INTERRUPTED_OR_CANCELLED)
    return says("it is encrypted, and no passphrase is asked for");
  if (reason == ERR_R_UNSUPPORTED || (ERR_GET_LIB(code) == ERR_LIB_PEM && reason == PEM_R_NO_START_LINE))
    return says(fmt::format("there is no {} in it (PEM)", kind));
  return failed(what);
}

std::string refusal(const std::string& host, X509_STORE_CTX* store) {
  return fmt::format("the certificate of {} is refused: {}", host,
                     X509_verify_cert_error_string(X509_STORE_CTX_get_error(store)));
}

}  // namespace

std::string openssl_reason() {
  const unsigned long code = ERR_peek_error();
  ERR_clear_error();
  if (code == 0) return "OpenSSL gave no reason";
  if (ERR_SYSTEM_ERROR(code)) return std::strerror(ERR_GET_REASON(code));
  const char* reason = ERR_reason_error_string(code);
  return reason != nullptr ? reason : "OpenSSL gave no reason";
}

bool is_name(const std::string& host) {
  const std::string address = host.substr(0, host.find('%'));
  unsigned char bytes[16];
  return inet_pton(AF_INET, address.c_str(), bytes) != 1 && inet_pton(AF_INET6, address.c_str(), bytes) != 1;
}

Result<> load_certificate(SSL_CTX& context, const std::string& cert, const std::string& key,
                          const char* cert_option, const char* key_option) {
  ERR_clear_error();
  if (SSL_CTX_use_certificate_chain_file(&context, cert.c_str()) != 1)
    return unreadable(fmt::format("{} {}", cert_option, cert), "certificate");
  // One file may hold both.
  const std::string& key_file = key.empty() ? cert : key;
  const std::string named = fmt::format("{} {}", key_option, key_file);
  if (auto safe = check_secret_file(key_file); !safe) return safe;
  // A password would be asked for on the terminal.
  SSL_CTX_set_default_passwd_cb(&context, [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_PrivateKey_file(&context, key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const auto code = ERR_peek_error();
    const bool other =
        ERR_GET_LIB(code) == ERR_LIB_X509 && (ERR_GET_REASON(code) == X509_R_KEY_VALUES_MISMATCH ||
                                              ERR_GET_REASON(code) == X509_R_KEY_TYPE_MISMATCH);
    return other ? failed(fmt::format("{} is not that of {} {}", named, cert_option, cert))
                 : unreadable(named, "private key");
  }
  return {};
}

Result<std::shared_ptr<ClientContext>> ClientContext::make(const ClientFiles& files,
                                                           const std::string& host) {
  std::shared_ptr<ClientContext> context(new ClientContext(host));
  if (auto configured = context->configure(files); !configured) return std::move(configured).error();
  return context;
}

Result<> ClientContext::configure(const ClientFiles& files) {
  ERR_clear_error();
  context_.reset(SSL_CTX_new(TLS_client_method()));
  auto* const ctx = context_.get();
  if (ctx == nullptr) return failed("cannot set up TLS");
  SSL_CTX_set_ex_data(ctx, owner_index(), this);
  SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, nullptr);
  // Ours alone decides: libraries that are given this context bring callbacks with which they let pass what
  // they are told to.
  SSL_CTX_set_cert_verify_callback(ctx, verify, this);
  SSL_CTX_set_info_callback(ctx, informed);
  // A partial record is sent again from wherever its bytes are by then.
  SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  auto* const param = SSL_CTX_get0_param(ctx);
  if (files.pinned) {
    X509_VERIFY_PARAM_set_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
  } else {
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    const std::string address = host_.substr(0, host_.find('%'));
    const int set = is_name(host_) ? X509_VERIFY_PARAM_set1_host(param, host_.c_str(), 0)
                                   : X509_VERIFY_PARAM_set1_ip_asc(param, address.c_str());
    if (set != 1) return failed(fmt::format("'{}' cannot be verified", host_));
  }
  if (files.ca.empty()) {
    if (SSL_CTX_set_default_verify_paths(ctx) != 1) return failed("the system's authorities");
  } else if (SSL_CTX_load_verify_file(ctx, files.ca.c_str()) != 1) {
    return failed("--ca " + files.ca);
  }
  if (files.cert.empty()) {
    if (!files.key.empty()) return make_error(Errc::usage, "--key needs the --cert that it belongs to");
    return {};
  }
  return load_certificate(*ctx, files.cert, files.key, "--cert", "--key");
}

void ClientContext::name_server(SSL* ssl) const {
  if (is_name(host_)) SSL_set_tlsext_host_name(ssl, host_.c_str());
}

int ClientContext::verify(X509_STORE_CTX* store, void* self) noexcept {
  X509_STORE_CTX_set_verify_cb(store, [](int good, X509_STORE_CTX*) { return good; });
  const int good = X509_verify_cert(store);
  if (good != 1) {
    auto& context = *static_cast<ClientContext*>(self);
    context.failure_ = refusal(context.host_, store);
  }
  return good == 1 ? 1 : 0;
}

bool ClientContext::equip(SSL* ssl) {
  auto* const ctx = context_.get();
  auto* const cert = SSL_CTX_get0_certificate(ctx);
  STACK_OF(X509)* chain = nullptr;
  SSL_CTX_get0_chain_certs(ctx, &chain);
  // The authorities last: without the name to check nobody is to be trusted.
  if (SSL_set_ex_data(ssl, equipped_index(), this) != 1 ||
      SSL_set1_param(ssl, SSL_CTX_get0_param(ctx)) != 1 ||
      SSL_set1_verify_cert_store(ssl, SSL_CTX_get_cert_store(ctx)) != 1)
    return false;
  if (cert != nullptr && SSL_use_cert_and_key(ssl, cert, SSL_CTX_get0_privatekey(ctx), chain, 1) != 1)
    return false;
  SSL_set_verify(ssl, SSL_VERIFY_PEER, note);
  name_server(ssl);
  return true;
}

int ClientContext::note(int good, X509_STORE_CTX* store) noexcept {
  if (good == 1) return 1;
  const auto* ssl =
      static_cast<SSL*>(X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx()));
  auto* self = static_cast<ClientContext*>(SSL_get_ex_data(ssl, equipped_index()));
  if (self != nullptr) self->failure_ = refusal(self->host_, store);
  return 0;
}

void ClientContext::informed(const SSL* ssl, int where, int code) noexcept {
  if ((where & SSL_CB_READ_ALERT) != SSL_CB_READ_ALERT || (code >> 8) != SSL3_AL_FATAL) return;
  auto* context = static_cast<ClientContext*>(SSL_get_ex_data(ssl, equipped_index()));
  if (context == nullptr)
    context = static_cast<ClientContext*>(SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), owner_index()));
  if (context == nullptr) return;
  // OpenSSL 3.0 has no word for what TLS 1.3 brought (RFC 8446 section 6.2).
  constexpr int kCertificateRequired = 116;
  context->failure_ = fmt::format(
      "{} ended TLS: {}", context->host_,
      (code & 0xff) == kCertificateRequired ? "certificate required" : SSL_alert_desc_string_long(code));
}

}  // namespace aiot::tls
