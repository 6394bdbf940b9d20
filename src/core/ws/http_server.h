#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/base/address.h"
#include "core/base/completion.h"
#include "core/base/function.h"
#include "core/base/networks.h"
#include "core/base/time.h"

namespace aiot {

class EventLoop;

namespace tls {
class Identity;
}

namespace ws {

using Headers = std::vector<std::pair<std::string, std::string>>;  ///< names lower case

struct HttpRequest {
  std::string method;  ///< "GET" ...
  std::string path;    ///< before '?', percent-encoded as sent
  std::string query;   ///< after '?'
  Headers headers;
  std::string body;
  SocketAddress peer;   ///< the client's, also behind a trusted proxy
  bool secure = false;  ///< it came over TLS, here or at a trusted proxy
  /// The first header of that (lower-case) name; empty when absent.
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// A body without an end, as Server-Sent Events have: the connection takes from it whenever it was woken and
/// the socket has room, until the peer goes or the server stops.
class HttpStream {
 public:
  virtual ~HttpStream() = default;
  /// The head is out. Call `wake` whenever there is something to take; it may be called for ever.
  virtual void attached(UniqueFunction<void()> wake) = 0;
  /// What comes next; empty for nothing now. What waits to be taken is the stream's to bound.
  virtual std::string take() = 0;
  /// Nothing comes any more: asked when take() gave nothing, and the connection closes.
  [[nodiscard]] virtual bool ended() const { return false; }
  /// The connection is gone; nothing is called any more.
  virtual void closed() = 0;
};

struct HttpResponse {
  int status = 200;
  std::string content_type = "text/plain; charset=utf-8";
  /// The body; static content passes a view that outlives the server instead of copying.
  std::string body;
  std::optional<std::string_view> static_body;
  Headers headers;                               ///< further ones
  std::shared_ptr<HttpStream> stream = nullptr;  ///< follows the body, which has then no length
};

/// Answers one HTTP request, now or later; dropped unanswered it answers 500. After the connection has gone
/// it does nothing.
class HttpResponder {
 public:
  class Impl;
  explicit HttpResponder(std::shared_ptr<Impl> impl);
  /// For a request that did not come over HTTP: `take` gets its answer.
  explicit HttpResponder(UniqueFunction<void(HttpResponse)> take);
  HttpResponder(HttpResponder&&) noexcept;
  HttpResponder& operator=(HttpResponder&&) noexcept;
  ~HttpResponder();
  void reply(HttpResponse response);

 private:
  void drop();
  std::shared_ptr<Impl> impl_;
};

/// One RFC 6455 server frame (FIN, unmasked) around `payload`, ready to be written to any number of
/// connections.
[[nodiscard]] std::string encode_text_frame(std::string_view payload);
/// Appends the same to `out`: many frames fill one buffer and leave with one write.
void append_text_frame(std::string& out, std::string_view payload);

/// Where a connection takes its outgoing bytes from when the socket has room: the outbox of its session.
class FrameSource {
 public:
  virtual ~FrameSource() = default;
  /// Whole encoded frames to write now, empty for none; valid until the next call of peek or consume. The
  /// connection asks again after consume, until the socket is full. 64 KB at a time leave with one system
  /// call and without a copy; more is taken in pieces of at most that, cut between frames.
  virtual std::string_view peek() = 0;
  /// The first `bytes` of the last peek, whole frames, are on their way (the connection keeps what the socket
  /// did not take, never more than one such piece).
  virtual void consume(std::size_t bytes) = 0;
};

/// A WebSocket connection, owned by the server; valid from WsSession's making until its closed().
class WsConnection {
 public:
  virtual ~WsConnection() = default;
  /// Queues one text message on the built-in queue. Without a bound: for replies and small talk.
  virtual void send_text(std::string_view message) = 0;
  /// From now on takes frames from `source` too, after the built-in queue; it must outlive the session.
  virtual void set_source(FrameSource* source) = 0;
  /// The source has something to write: it is asked on the next turn, so that what one turn brings leaves
  /// together. Cheap to call often.
  virtual void wake() = 0;
  /// Starts the closing handshake (RFC 6455 section 7) after what is queued; `closed` follows, at the latest
  /// after close_timeout. At most 123 bytes of `reason` are sent.
  virtual void close(std::uint16_t code, std::string_view reason) = 0;
  /// Drops the connection without a handshake: for peers that do not read. `closed` follows on another turn.
  virtual void abort() = 0;
  /// Stops and resumes reading from the socket: back-pressure on the sender.
  virtual void pause_reading(bool paused) = 0;
  [[nodiscard]] virtual std::size_t queued_bytes() const = 0;  ///< built-in queue
  [[nodiscard]] virtual const SocketAddress& peer() const = 0;
};

/// The application's side of one WebSocket. The server destroys it after closed(); a server that is destroyed
/// itself destroys its sessions without calling closed().
class WsSession {
 public:
  virtual ~WsSession() = default;
  /// The handshake is done; `connection` lives until closed() returns.
  virtual void opened(WsConnection& connection) = 0;
  /// One whole message. A message above the bound closes with 1009, invalid UTF-8 with 1007, before
  /// this is called; a binary message is passed with `binary`.
  virtual void received(std::string_view message, bool binary) = 0;
  virtual void closed() = 0;
};

/// An upgrade request, before it is answered.
struct UpgradeRequest {
  std::string path;
  std::string query;
  Headers headers;
  std::vector<std::string> subprotocols;  ///< as offered, in order; pyaiot's "token, TOKEN" whole
  std::string origin;                     ///< empty when absent (not a browser)
  SocketAddress peer;                     ///< the client's, also behind a trusted proxy
  bool secure = false;                    ///< it came over TLS, here or at a trusted proxy
  [[nodiscard]] std::string_view header(std::string_view name) const;
};

/// Accept with a session and the subprotocol to name (empty for none), or refuse with a status.
struct UpgradeDecision {
  std::unique_ptr<WsSession> session;
  std::string subprotocol;
  int refuse_status = 404;
  std::string refuse_reason = {};
};

struct HttpServerOptions {
  SocketAddress listen;
  /// TLS (1.2 and 1.3) alone is spoken, with what this holds when a connection comes; null: none.
  std::shared_ptr<tls::Identity> identity;
  /// From these, X-Forwarded-For, -Proto and -Host and Forwarded (RFC 7239) are believed.
  Networks trusted_proxies;
  /// Browsers use TLS alone with this host for so long (RFC 6797), told in answers over TLS; zero: not told.
  Duration strict_transport{};
  std::size_t max_head = 8 * 1024;  ///< 431 beyond
  Duration head_timeout = std::chrono::seconds(10);
  std::size_t max_body = 1024 * 1024;     ///< 413 beyond
  std::size_t max_message = 1024 * 1024;  ///< WebSocket message, 1009 beyond
  /// Beyond them the one that has waited longest for a request is closed, else the new one, without an
  /// answer.
  std::size_t max_connections = 16384;
  /// Of one IPv4 address or IPv6 network of 64 bits; more are closed without an answer. Loopback may have any
  /// number. Zero: no bound.
  std::size_t max_connections_per_address = 0;
  Duration ping_interval = std::chrono::seconds(30);  ///< WebSocket ping; a peer silent for two is dropped
  Duration body_timeout = std::chrono::seconds(60);   ///< a request's body, 408 beyond
  Duration idle_timeout = std::chrono::seconds(75);   ///< keep-alive connection without a request
  Duration write_timeout = std::chrono::seconds(30);  ///< response of which the peer takes nothing
  Duration close_timeout = std::chrono::seconds(5);   ///< closing handshake
};

struct HttpServerCounters {
  std::uint64_t connections = 0;  ///< open now
  std::uint64_t accepted = 0;
  std::uint64_t refused_heads = 0;      ///< malformed, too long or too slow
  std::uint64_t refused_full = 0;       ///< closed for want of room
  std::uint64_t refused_address = 0;    ///< closed because their address has its share
  std::uint64_t failed_handshakes = 0;  ///< TLS
};

/// HTTP/1.1 and WebSocket on one port. Sockets get TCP_NODELAY. HEAD is GET without a body; the handler never
/// sees an upgrade. WebSockets run on libwebsockets; heads and plain requests are read here, because that
/// library (4.1) drops subprotocol lists of 128 bytes, knows no chunked request bodies and no
/// "Expect: 100-continue", and passes on only the headers it knows.
class HttpServer {
 public:
  using RequestHandler = UniqueFunction<void(HttpRequest, HttpResponder)>;
  using UpgradeHandler = UniqueFunction<UpgradeDecision(const UpgradeRequest&)>;
  /// Words the refusal of a request for `path` whose body is too large, malformed or late.
  using RefusalHandler = UniqueFunction<HttpResponse(std::string_view path, int status, std::string why)>;
  /// Errc::unreachable when the address is in use. Without `on_refusal` refusals are plain text.
  static Result<std::unique_ptr<HttpServer>> listen(EventLoop& loop, HttpServerOptions options,
                                                    RequestHandler on_request, UpgradeHandler on_upgrade,
                                                    RefusalHandler on_refusal = nullptr);
  virtual ~HttpServer() = default;
  [[nodiscard]] virtual SocketAddress bound() const = 0;
  [[nodiscard]] virtual HttpServerCounters counters() const = 0;
  /// Stops accepting and closes every connection (WebSockets with 1001, also those whose upgrade is still
  /// under way); `done` once all are gone or after `deadline`.
  virtual void shut_down(Duration deadline, Completion<> done) = 0;
};

}  // namespace ws
}  // namespace aiot
