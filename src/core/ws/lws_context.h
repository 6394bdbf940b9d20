#pragma once

#include <libwebsockets.h>

#include <memory>
#include <string_view>

#include "core/loop/event_loop.h"
#include "core/tls/client_context.h"

namespace aiot::ws {

/// Hears what libwebsockets has to say about one connection, until it is silenced.
class LwsHandler {
 public:
  virtual ~LwsHandler() = default;
  /// Non-zero closes the connection, as in libwebsockets.
  virtual int on_lws(lws* wsi, lws_callback_reasons reason, void* in, std::size_t size) noexcept = 0;
};

/// A libwebsockets context on an event loop. Servers and plain clients of a loop share one; it is made for
/// the first and goes with the last. A client on TLS has one of its own, with what it checks its server by.
class LwsContext {
 public:
  /// Null when libwebsockets cannot start (its libuv plugin is not installed); the log says why.
  static std::shared_ptr<LwsContext> get(EventLoop& loop);
  /// One for connections on TLS.
  static std::shared_ptr<LwsContext> make(EventLoop& loop, std::shared_ptr<tls::ClientContext> tls);
  ~LwsContext();
  LwsContext(const LwsContext&) = delete;
  LwsContext& operator=(const LwsContext&) = delete;

  [[nodiscard]] lws_context* native() const { return context_; }
  [[nodiscard]] lws_vhost* vhost() const { return vhost_; }
  /// Descriptors from this number on cannot be adopted.
  [[nodiscard]] int max_descriptor() const { return max_descriptor_; }

  /// The opaque user data of a connection to make, by which callbacks find `handler`: a ticket and no
  /// pointer, because libwebsockets tells of a connection's end turns after its owner may have gone.
  void* enroll(LwsHandler& handler);
  /// No callbacks for that ticket any more.
  void forget(void* ticket);
  /// No callbacks for that connection any more.
  void silence(lws* wsi);

  /// Hands a connected socket over, with `head` as if just read from it. `handler` hears of it from inside
  /// the call on. Null (and the socket closed) when libwebsockets refuses.
  lws* adopt(int descriptor, std::string_view head, LwsHandler& handler);
  /// Makes libwebsockets look at its timers and buffers: needed after calls from outside its callbacks, which
  /// do not arm its timer on a foreign loop.
  void wake() { lws_cancel_service(context_); }
  /// Starts the closing handshake of an open WebSocket that has nothing left to write. Only from outside
  /// callbacks: Debian's build (_DEBUG with libuv) closes twice what a callback returns -1 for, and the
  /// second time cuts the handshake off.
  static void close(lws* wsi, std::uint16_t code, std::string_view reason);
  /// Drops a connection in the next turn without flushing anything.
  void kill(lws* wsi);

  /// libwebsockets pings and hangs up after fixed seconds by itself; this turns that off.
  static const lws_retry_bo_t* no_keepalive();

  static constexpr const char* kServerProtocol = "aiot-server";
  static constexpr const char* kClientProtocol = "aiot-client";

 private:
  /// What callbacks need; it stays until the last of them, when this object has gone.
  struct Shared;

  LwsContext(EventLoop& loop, std::shared_ptr<tls::ClientContext> tls);
  bool start();
  static int on_callback(lws* wsi, lws_callback_reasons reason, void* user, void* in, std::size_t size);

  EventLoop& loop_;
  lws_context* context_ = nullptr;
  lws_vhost* vhost_ = nullptr;
  std::unique_ptr<Shared> shared_;
  int max_descriptor_ = 0;
  int event_pipe_ = -1;  ///< by which libwebsockets is woken
  void* loops_[1] = {};
};

}  // namespace aiot::ws
