#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/loop/event_loop.h"
#include "core/ws/frame_writer.h"
#include "core/ws/lws_context.h"
#include "core/ws/ws_client.h"

namespace aiot::ws {

/// A WebSocket that dials out, on libwebsockets: the addresses of the endpoint one after another, within one
/// deadline.
class ClientWebSocket final : public LwsHandler, public std::enable_shared_from_this<ClientWebSocket> {
 public:
  ClientWebSocket(EventLoop& loop, Endpoint endpoint, ClientOptions options, WsClient::Callbacks callbacks);

  void start();
  void send(std::string_view message);
  void close(std::uint16_t code, std::string_view reason);
  /// Lets go without callbacks, with a last close frame if there is room for one.
  void drop();
  [[nodiscard]] std::size_t queued_bytes() const { return writer_.queued(); }

  int on_lws(lws* wsi, lws_callback_reasons reason, void* in, std::size_t size) noexcept override;

 private:
  enum class State : std::uint8_t { connecting, open, closing, over };

  void resolved(Result<std::vector<SocketAddress>> addresses);
  void dial_next();
  void attempt_failed(Error why);
  void on_timer();
  int append_headers(char** at, std::size_t room) const;
  void remember_subprotocol(lws* wsi);
  int opened();
  int received(std::string_view bytes);
  Error refusal(lws* wsi, std::string_view text) const;
  void peer_closes(std::string_view payload);
  void lost();
  void finish(Error why);
  void schedule_flush();
  void flush();
  void detach();
  [[nodiscard]] std::string where() const;

  EventLoop& loop_;
  Endpoint endpoint_;
  ClientOptions options_;
  WsClient::Callbacks callbacks_;
  std::shared_ptr<LwsContext> context_;
  Operation resolving_;
  std::unique_ptr<Timer> timer_;
  std::vector<SocketAddress> addresses_;
  std::size_t next_address_ = 0;
  TimePoint deadline_{};          ///< of connecting, then of closing
  TimePoint attempt_deadline_{};  ///< of one address
  Error last_error_;

  State state_ = State::connecting;
  lws* wsi_ = nullptr;
  bool dialling_ = false;  ///< inside lws_client_connect_via_info()
  bool asked_ = false;     ///< this attempt got as far as to send its upgrade request
  FrameWriter writer_;
  bool flush_posted_ = false;
  bool blocked_ = false;
  bool above_low_water_ = false;
  bool handshaking_close_ = false;  ///< libwebsockets runs it: nothing may be written any more
  std::uint16_t close_code_ = 0;
  std::string close_reason_;
  std::string subprotocol_;
  std::string message_;
  TimePoint last_heard_{};
  TimePoint last_ping_{};
};

}  // namespace aiot::ws
