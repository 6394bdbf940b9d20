#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/base/address.h"
#include "core/client.h"
#include "core/tls/client_files.h"

namespace aiot {

class EventLoop;

namespace coap {

struct ClientLimits {
  std::size_t sessions_per_context = 64;  ///< libcoap scans a context's sessions on every datagram
  /// Sessions open at once, those of observations not counted (each lives as long as it); further
  /// destinations wait in order for one to become idle. Less where the process may have fewer descriptors.
  std::size_t max_sessions = 1024;
  /// Requests that wait for one destination; one more is refused with Errc::internal.
  std::size_t max_waiting = 1024;
  Duration idle_session = std::chrono::seconds(20);
  std::size_t max_payload = 1024 * 1024;  ///< a larger answer is Errc::peer_failed
  /// An observation that hears nothing for Max-Age and a random time between these registers again (RFC 7641
  /// section 3.3.1 recommends 5 to 15 s).
  Duration least_grace = std::chrono::seconds(5);
  Duration most_grace = std::chrono::seconds(10);
  /// Waits before a lost observation is tried again: doubling from the first to the last, with jitter.
  Duration first_retry = std::chrono::seconds(1);
  Duration last_retry = std::chrono::seconds(60);
};

/// What coaps and coaps+tcp are secured by (RFC 7252 section 9): a pre-shared key or, without one,
/// certificates, read when a connection is made.
struct ClientSecurity {
  tls::ClientFiles files;
  std::string psk_identity;
  std::string psk_key;  ///< empty: certificates
};

/// What a client has done since it was made.
struct ClientCounters {
  std::uint64_t exchanges = 0;      ///< begun; a block-wise one counts once
  std::uint64_t timeouts = 0;       ///< exchanges without an answer in time
  std::uint64_t overflows = 0;      ///< refused because too many waited for their destination
  std::uint64_t notifications = 0;  ///< heard in order
  std::uint64_t stale = 0;          ///< notifications left out because a newer one had come
  std::uint64_t losses = 0;         ///< observations that were lost and are tried again
  std::size_t sessions = 0;         ///< open now
};

/// A Client for coap, coaps, coap+tcp and coaps+tcp on libcoap: CON and NON, Observe with re-registration
/// (RFC 7641), block-wise both ways (RFC 7959), multicast discovery (RFC 7252 section 8), directories (RFC
/// 9176).
///
/// Sessions are made per destination on first use, sharded over contexts and closed when idle. One request
/// at a time goes to a destination (NSTART = 1); others wait in order, within their own deadline. A name is
/// resolved on the loop and its addresses are tried in order. Nothing blocks. Destroying the client cancels
/// all its operations; it may happen inside any callback.
///
/// The process must ignore SIGPIPE: libcoap writes to TCP peers that have gone without asking not to get it.
///
/// Errors: Errc::usage for a URI that is no CoAP, Errc::unreachable (name not found, refused, no route,
/// connection lost), Errc::timeout at the request's own deadline, Errc::rejected and unauthorized for 4.xx
/// and a reset, Errc::peer_failed for 5.xx and what is no proper answer, Errc::unauthorized for a handshake
/// that the peer or we refuse. A failed write carries its outcome.
class CoapClient : public Client {
 public:
  static std::unique_ptr<CoapClient> make(EventLoop& loop, const ClientLimits& limits = {},
                                          ClientSecurity security = {});

  /// Requests may also go from the local address `local` (for instance the server's own port, which is the
  /// only one a NAT in front of the node lets through). Empty means any. While such a request is under way
  /// the kernel gives what that very peer sends to that port to this session and not to the server, which is
  /// why it closes as soon as it has nothing to do.
  ///
  /// With a coaps URI, `local` is where a CoapServer of this loop listens, and the request goes over the
  /// session that the peer has opened there; Errc::unreachable when it has none.
  virtual Operation request_from(const SocketAddress& local, Request request, Completion<Response> done) = 0;
  /// observe(), likewise.
  virtual Operation observe_from(const SocketAddress& local, Request request,
                                 UniqueFunction<void(Notification)> next, Completion<> done) = 0;

  [[nodiscard]] virtual ClientCounters counters() const = 0;
};

}  // namespace coap
}  // namespace aiot
