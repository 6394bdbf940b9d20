#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/client.h"
#include "core/coap/message.h"

namespace aiot {

class EventLoop;

namespace tls {
class ListenerSecurity;
}

namespace coap {

enum class Transport : std::uint8_t { udp, tcp };

/// Whom a request came from.
struct Peer {
  SocketAddress address;
  SocketAddress local;  ///< the address and port it was received on
  Transport transport = Transport::udp;
  std::string credential;  ///< "psk:IDENTITY" or "cert:SUBJECT", proved; empty without security
};

/// A whole request: block-wise uploads arrive reassembled. Views live until the handler returns.
struct ServerRequest {
  Method method = Method::get;
  const std::vector<std::string_view>& path;  ///< Uri-Path segments
  const std::vector<std::string_view>& query;
  std::string_view payload;
  std::optional<std::uint16_t> content_format;
  std::optional<std::uint16_t> accept;
  const Peer& peer;
  bool confirmable = true;
  std::uint16_t message_id = 0;
  std::string_view token;
  bool multicast = false;
};

struct ServerReply {
  std::uint8_t code = coap::code(2, 5);
  std::string payload;  ///< larger than a block leaves block-wise
  std::optional<std::uint16_t> content_format;
  std::vector<std::string> location_path;
  std::optional<std::uint32_t> max_age;
};

/// Answers one request: inside the handler or within the next 100 ms as a piggybacked response, later as a
/// separate one (CON to CON, NON to NON). Move-only; dropped unanswered it answers 5.03. Answering after the
/// server is gone does nothing.
class Responder {
 public:
  class Impl;
  explicit Responder(std::unique_ptr<Impl> impl);
  Responder(Responder&&) noexcept;
  Responder& operator=(Responder&&) noexcept;
  ~Responder();
  void reply(ServerReply reply);

 private:
  std::unique_ptr<Impl> impl_;
};

struct ServerCounters {
  std::uint64_t requests = 0;    ///< handed to the handler
  std::uint64_t duplicates = 0;  ///< answered from the message-id filter
  std::uint64_t malformed = 0;
  std::uint64_t kernel_drops = 0;     ///< datagrams the kernel dropped (SO_MEMINFO), all listeners
  std::uint64_t uploads_refused = 0;  ///< block-wise: 4.08 and bounds
  std::uint64_t overloads = 0;        ///< 5.03 because too many requests wait for their answer
  std::uint64_t failed_handshakes = 0;
  std::uint64_t asked_hellos = 0;    ///< DTLS: answered with a cookie, and forgotten
  std::uint64_t refused_hellos = 0;  ///< DTLS: too many of one host, or malformed, or of no session
  std::size_t secured = 0;           ///< sessions on DTLS and TLS that are open
  std::uint64_t reduced = 0;         ///< cut to small blocks: the peer did not show where he is
};

struct ServerOptions {
  std::vector<SocketAddress> udp;  ///< port 0 picks a free one
  std::vector<SocketAddress> tcp;
  /// DTLS and TLS are spoken in place of UDP and TCP, with whom this lets in; `udp` has one address at most
  /// then. Null: no security.
  std::shared_ptr<tls::ListenerSecurity> security;
  std::size_t max_secured = 16384;   ///< sessions on DTLS; of more, the one longest silent goes
  std::size_t max_handshakes = 512;  ///< DTLS, under way at a time; more hellos go unanswered
  Duration secured_lifetime = std::chrono::hours(24);  ///< of a session without a message
  std::size_t max_upload = 64 * 1024;                  ///< larger is 4.13
  std::size_t max_uploads = 256;
  Duration upload_lifetime = std::chrono::seconds(60);
  std::size_t max_idle_sessions = 32;
  std::size_t max_streams =
      1024;  ///< TCP connections at a time; of more, one that has said nothing goes first
  Duration stream_patience = std::chrono::seconds(30);  ///< until a stream's CSM, or the end of its handshake
  std::size_t duplicate_peers = 65536;
  std::size_t duplicate_ids = 64;
  std::size_t known_peers = 65536;             ///< datagram peers remembered as being where they say
  std::size_t max_unproved = 256;              ///< answers that wait for their peer to show where he is
  std::vector<std::string> join_multicast;     ///< groups to join, with optional %interface
  Duration rejoin = std::chrono::seconds(20);  ///< how often groups are joined on links that came up since
  int receive_buffer = 4 * 1024 * 1024;
};

/// A CoAP server on libcoap: duplicates filtered (RFC 7252 section 4.5), block-wise both ways (RFC 7959),
/// every path and method goes to the one handler.
class CoapServer {
 public:
  using Handler = UniqueFunction<void(const ServerRequest&, Responder)>;
  /// Errc::unreachable "address in use" when another socket holds the very same address and port.
  static Result<std::unique_ptr<CoapServer>> listen(EventLoop& loop, ServerOptions options, Handler handler);
  virtual ~CoapServer() = default;
  /// Addresses in the order of the options, UDP first, with real ports.
  [[nodiscard]] virtual std::vector<SocketAddress> bound() const = 0;
  [[nodiscard]] virtual ServerCounters counters() const = 0;
  /// Ends sessions whose peers `security` would no longer let in: after it has read its files again.
  virtual void recheck_peers() {}
  /// Notes a request of a former life as answered, so that a repeat of it gets `reply` and does not reach the
  /// handler: how a journal that is read again refills the duplicate filter, oldest first.
  virtual void remember(const SocketAddress& peer, std::uint16_t message_id, std::string_view token,
                        std::string_view payload, const ServerReply& reply) {
    (void)peer, (void)message_id, (void)token, (void)payload, (void)reply;
  }
};

}  // namespace coap
}  // namespace aiot
