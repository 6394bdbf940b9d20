#pragma once

#include <list>
#include <memory>
#include <string>
#include <vector>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/tls/tunnel.h"
#include "core/ws/address_counts.h"
#include "core/ws/http_head.h"
#include "core/ws/http_server.h"
#include "core/ws/lws_context.h"

namespace aiot::ws {

class HttpConnection;
class ServerWebSocket;

/// What the connections of one server share. Connections hold it; the HttpServer handed out stops it when it
/// is destroyed.
class ServerCore : public std::enable_shared_from_this<ServerCore> {
 public:
  ServerCore(EventLoop& loop, HttpServerOptions options, HttpServer::RequestHandler on_request,
             HttpServer::UpgradeHandler on_upgrade, HttpServer::RefusalHandler on_refusal);
  ~ServerCore();
  ServerCore(const ServerCore&) = delete;
  ServerCore& operator=(const ServerCore&) = delete;

  Result<> listen();
  void shut_down(Duration deadline, Completion<> done);
  /// Drops everything at once, without callbacks.
  void stop();

  [[nodiscard]] SocketAddress bound() const { return bound_; }
  [[nodiscard]] HttpServerCounters counters() const;

  // For connections
  [[nodiscard]] EventLoop& loop() const { return loop_; }
  [[nodiscard]] const HttpServerOptions& options() const { return options_; }
  [[nodiscard]] LwsContext& lws() const { return *lws_; }
  [[nodiscard]] bool stopping() const { return stopping_; }
  [[nodiscard]] HttpServer::RequestHandler& on_request() { return on_request_; }
  [[nodiscard]] HttpServer::UpgradeHandler& on_upgrade() { return on_upgrade_; }
  [[nodiscard]] HttpServer::RefusalHandler& on_refusal() { return on_refusal_; }
  void count_refused_head() { ++refused_heads_; }
  /// A buffer to read into, for one read at a time.
  [[nodiscard]] std::vector<char>& scratch() { return scratch_; }
  /// Makes a WebSocket of an accepted upgrade; takes the descriptor. `rest` is what was read past the head.
  /// It counts for `counted`, as its connection did.
  void adopt(int descriptor, std::string_view key, std::string_view rest, UpgradeDecision decision,
             const SocketAddress& peer, const SocketAddress& counted);
  void remove(HttpConnection& connection);
  void remove(ServerWebSocket& socket);
  /// Lets `socket` write on the next turn.
  void mark_ready(ServerWebSocket& socket);

 private:
  void accept_some();
  void accepted(int descriptor, const SocketAddress& peer);
  /// Puts TLS before a connection: its clear end takes the descriptor's place, -1 when there is none to be
  /// had.
  int encrypt(int descriptor, const SocketAddress& peer);
  /// The subscriber that a connection of `peer` counts for; empty when it may have any number.
  [[nodiscard]] SocketAddress counted_for(const SocketAddress& peer) const;
  /// True when `subscriber` has as many connections as one may have.
  bool has_share(const SocketAddress& subscriber);
  void count(const SocketAddress& subscriber);
  /// Closes the connection that has waited longest for a request, or else the oldest that takes its time with
  /// one, so that nobody keeps others out by doing nothing; false when all are at work.
  bool make_room();
  void on_tick();
  void arm_tick();
  void flush_ready();
  void check_drained();

  EventLoop& loop_;
  HttpServerOptions options_;
  HttpServer::RequestHandler on_request_;
  HttpServer::UpgradeHandler on_upgrade_;
  HttpServer::RefusalHandler on_refusal_;
  std::shared_ptr<LwsContext> lws_;
  std::vector<char> scratch_;

  int listener_ = -1;
  int spare_ = -1;  ///< a descriptor kept for the day there are none left
  std::unique_ptr<FdWatch> accept_watch_;
  SocketAddress bound_;

  std::list<std::unique_ptr<tls::Tunnel>> tunnels_;
  std::list<std::shared_ptr<HttpConnection>> http_;
  std::list<std::shared_ptr<ServerWebSocket>> sockets_;
  AddressCounts addresses_;
  log::Limiter share_warnings_;
  std::vector<ServerWebSocket*> ready_;
  std::vector<ServerWebSocket*> flushing_;
  bool flush_posted_ = false;

  std::unique_ptr<Timer> tick_;
  Duration tick_interval_{};
  std::unique_ptr<Timer> drain_timer_;
  Completion<> drained_;
  bool stopping_ = false;
  bool drain_posted_ = false;

  std::uint64_t accepted_ = 0;
  std::uint64_t refused_heads_ = 0;
  std::uint64_t refused_full_ = 0;
  std::uint64_t failed_handshakes_ = 0;
  std::uint64_t refused_address_ = 0;
};

}  // namespace aiot::ws
