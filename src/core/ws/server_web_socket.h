#pragma once

#include <list>
#include <memory>
#include <string>

#include "core/ws/frame_writer.h"
#include "core/ws/server_core.h"

namespace aiot::ws {

/// The server's side of one WebSocket on libwebsockets.
class ServerWebSocket final : public WsConnection,
                              public LwsHandler,
                              public std::enable_shared_from_this<ServerWebSocket> {
 public:
  ServerWebSocket(std::shared_ptr<ServerCore> core, UpgradeDecision decision, const SocketAddress& peer);

  // WsConnection
  void send_text(std::string_view message) override;
  void set_source(FrameSource* source) override { source_ = source; }
  void wake() override;
  void close(std::uint16_t code, std::string_view reason) override;
  void abort() override;
  void pause_reading(bool paused) override;
  [[nodiscard]] std::size_t queued_bytes() const override { return writer_.queued(); }
  [[nodiscard]] const SocketAddress& peer() const override { return peer_; }

  int on_lws(lws* wsi, lws_callback_reasons reason, void* in, std::size_t size) noexcept override;

  /// Writes what there is, up to one turn's share.
  void flush();
  /// Pings, and drops a peer that is silent or does not close in time.
  void check_deadline(TimePoint now);
  /// Lets go of session and socket without callbacks: the server is going.
  void drop();
  [[nodiscard]] bool has_socket() const { return wsi_ != nullptr; }

  std::list<std::shared_ptr<ServerWebSocket>>::iterator place;  ///< the core's
  SocketAddress counted;                                        ///< the core's: for whom; empty: not at all
  bool ready = false;                                           ///< in the core's list of those to flush

 private:
  int opened();
  int received(std::string_view bytes);
  int writable();
  void start_closing();
  void ended();
  void heard() { last_heard_ = core_->loop().now(); }
  int add_subprotocol(lws_process_html_args& args) const;

  std::shared_ptr<ServerCore> core_;
  std::unique_ptr<WsSession> session_;
  std::string subprotocol_;
  SocketAddress peer_;
  lws* wsi_ = nullptr;
  FrameWriter writer_;
  FrameSource* source_ = nullptr;

  std::string message_;  ///< fragments so far
  bool open_ = false;
  bool blocked_ = false;
  bool paused_ = false;
  bool closing_ = false;  ///< libwebsockets runs the closing handshake: nothing may be written any more
  bool aborted_ = false;
  std::uint16_t close_code_ = 0;  ///< asked for, 0 for none
  std::string close_reason_;
  TimePoint close_deadline_{};
  TimePoint last_heard_;
  TimePoint last_ping_{};
};

}  // namespace aiot::ws
