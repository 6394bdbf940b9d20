#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/coap/coap_server.h"
#include "core/loop/event_loop.h"
#include "daemon/gateway/allow_list.h"
#include "daemon/gateway/policy.h"
#include "daemon/gateway/sink.h"

namespace aiot::gateway {

/// Nodes that speak CoAP: /alive and /server as pyaiot has them, a resource directory, and what the gateway
/// says of itself.
class CoapSource {
 public:
  CoapSource(EventLoop& loop, Policy& policy, Sink& sink, AllowList allow)
      : loop_(loop), policy_(policy), sink_(sink), allow_(std::move(allow)) {}

  /// UDP and TCP at `address`; on a wildcard address it joins the CoAP multicast
  /// groups. Errc::unreachable: the address is in use.
  Result<void> listen(const SocketAddress& address);
  /// DTLS and TLS at `address`, for the nodes that `security` lets in. Likewise.
  Result<void> listen(const SocketAddress& address, std::shared_ptr<tls::ListenerSecurity> security);
  /// The keys and certificates of nodes have changed: who has lost his goes.
  void recheck_peers() {
    if (secure_) secure_->recheck_peers();
  }
  void close() {
    server_.reset();
    secure_.reset();
  }
  /// A /server message of an earlier run was answered: its repeat is not a new one.
  void remember(const Origin& origin, const Update& update);
  [[nodiscard]] std::vector<std::pair<std::string, SocketAddress>> listeners() const;
  [[nodiscard]] coap::ServerCounters counters() const;

 private:
  Result<std::unique_ptr<coap::CoapServer>> serve(coap::ServerOptions options);
  void handle(const coap::ServerRequest& request, coap::Responder responder);
  /// Answers once what the request brought is safe.
  void answer_when_stored(coap::ServerReply reply, coap::Responder responder);
  [[nodiscard]] coap::ServerReply directory(const coap::ServerRequest& request, const Now& now);
  [[nodiscard]] Now now() const { return {loop_.now(), loop_.wall_now()}; }

  EventLoop& loop_;
  Policy& policy_;
  Sink& sink_;
  AllowList allow_;
  std::unique_ptr<coap::CoapServer> server_;
  std::unique_ptr<coap::CoapServer> secure_;
};

/// What GET /.well-known/core of the gateway answers, filtered by `query` (RFC 6690 section 4.1).
[[nodiscard]] std::string own_links(const std::vector<std::string_view>& query);

}  // namespace aiot::gateway
