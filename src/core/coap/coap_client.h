#pragma once

#include <memory>

#include "core/client.h"

namespace aiot {

class EventLoop;

namespace coap {

struct ClientLimits {
  std::size_t sessions_per_context = 256;  ///< libcoap scans a context's sessions on every datagram
  Duration idle_session = std::chrono::seconds(20);
  std::size_t max_payload = 1024 * 1024;  ///< a larger answer is Errc::peer_failed
};

/// A Client for coap and coap+tcp on libcoap: CON and NON, Observe with re-registration (RFC 7641),
/// block-wise both ways (RFC 7959), multicast discovery (RFC 7252 section 8), directories (RFC 9176).
///
/// Sessions are made per destination on first use, sharded over contexts and closed when idle. One request
/// at a time goes to a destination (NSTART = 1); others wait in order, within their own deadline. A name is
/// resolved on the loop and its addresses are tried in order. Nothing blocks.
class CoapClient : public Client {
 public:
  static std::unique_ptr<CoapClient> make(EventLoop& loop, const ClientLimits& limits = {});

  /// Requests may also go from the local address `local` (for instance the server's own port, which is the
  /// only one a NAT in front of the node lets through). Empty means any.
  virtual Operation request_from(const SocketAddress& local, Request request, Completion<Response> done) = 0;
};

}  // namespace coap
}  // namespace aiot
