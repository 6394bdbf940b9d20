#pragma once

#include <openssl/ssl.h>

#include <memory>
#include <string>

#include "core/loop/event_loop.h"

namespace aiot::tls {

/// The server's end of TLS on one accepted connection: what the peer says comes out of one end of a socket
/// pair in the clear, and what is written there goes to the peer. So whoever serves plain connections (our
/// own HTTP, libwebsockets) serves secure ones too, without a line for it.
///
/// Nothing grows: while one side does not take, the other is not read. How long a peer may be silent or slow
/// is for the owner of the clear end to say, by closing it; the tunnel then has `linger` to deliver what was
/// written, and no longer.
class Tunnel {
 public:
  /// Takes both descriptors, which are non-blocking: `outer` is the peer's connection, `inner` one end of the
  /// pair. `ended` is called once, from the loop, and may destroy the tunnel.
  Tunnel(EventLoop& loop, SSL_CTX& context, int outer, int inner, Duration linger,
         UniqueFunction<void()> ended);
  ~Tunnel();
  Tunnel(const Tunnel&) = delete;
  Tunnel& operator=(const Tunnel&) = delete;

  void start();
  /// The clear end is closed and the rest is on its way: the first to go when room is needed.
  [[nodiscard]] bool lingering() const { return inner_ended_; }
  /// Why the handshake failed; empty when it did not.
  [[nodiscard]] const std::string& failure() const { return failure_; }

 private:
  void pump();
  bool shake_hands();
  /// False when the tunnel is over.
  bool from_peer();
  bool to_peer();
  /// Hands on what is decrypted already.
  void deliver();
  bool write_tls();
  void answer_plain_http() const;
  void arm();
  void end();

  EventLoop& loop_;
  SSL* ssl_;
  int outer_;
  int inner_;
  Duration linger_;
  UniqueFunction<void()> ended_;
  std::unique_ptr<FdWatch> outer_watch_;
  std::unique_ptr<FdWatch> inner_watch_;
  std::unique_ptr<Timer> timer_;
  std::string clear_;   ///< decrypted, and not taken by the pair
  std::string secret_;  ///< read from the pair, and not taken by TLS
  std::string failure_;
  bool shaken_ = false;
  bool wants_write_ = false;  ///< TLS waits until the peer's connection takes more
  bool outer_ended_ = false;
  bool inner_ended_ = false;
  bool shut_ = false;  ///< close_notify is out
};

}  // namespace aiot::tls
