#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/loop/event_loop.h"
#include "core/tls/client_context.h"
#include "core/ws/ws_client.h"

namespace aiot::ws {

/// A TCP connection to an endpoint, with TLS where it asks for it: names are resolved off the loop and the
/// addresses tried in order. For HTTP requests; WebSockets are connected by libwebsockets.
class ClientStream {
 public:
  struct Callbacks {
    UniqueFunction<void()> connected;
    UniqueFunction<void(std::string_view)> received;
    UniqueFunction<void()> closed;       ///< by the peer, in order
    UniqueFunction<void(Error)> failed;  ///< unreachable, or unauthorized for TLS
  };

  /// Each address has its share of `timeout`; the whole is for the owner to watch.
  ClientStream(EventLoop& loop, const Endpoint& endpoint, Duration timeout, Callbacks callbacks);
  ~ClientStream();
  ClientStream(const ClientStream&) = delete;
  ClientStream& operator=(const ClientStream&) = delete;

  /// Sends all of `bytes`, which must outlive it, once it is connected.
  void send(std::string_view bytes);
  /// No callbacks any more; may be called from inside one, after which this must live for another turn.
  void stop();
  /// Some of what was sent has left or may have: a repeat could act twice.
  [[nodiscard]] bool has_sent() const { return sent_; }

 private:
  enum class State : std::uint8_t { resolving, connecting, handshaking, open, over };

  void dial_next();
  void dial(const SocketAddress& address);
  void attempt_failed(Error why);
  void on_event(unsigned events);
  void connected();
  void begin_tls();
  void handshake();
  void write();
  void read();
  void fail(Error why);
  void close_socket();
  /// What OpenSSL waits for, or a failure; true when it is to be asked again later.
  bool waits_for_tls(int outcome);
  [[nodiscard]] Error tls_error() const;

  EventLoop& loop_;
  Endpoint endpoint_;
  TimePoint deadline_;
  Callbacks callbacks_;
  State state_ = State::resolving;
  Operation resolving_;
  std::unique_ptr<Timer> timer_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  Error last_error_;

  int descriptor_ = -1;
  std::unique_ptr<FdWatch> watch_;
  std::shared_ptr<tls::ClientContext> tls_context_;
  SSL* tls_ = nullptr;
  unsigned tls_wants_ = 0;

  std::string_view out_;
  bool sent_ = false;
  std::vector<char> buffer_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace aiot::ws
