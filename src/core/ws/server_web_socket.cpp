#include "core/ws/server_web_socket.h"

#include <sys/socket.h>

#include <cstring>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ws/frame.h"

namespace aiot::ws {
namespace {

/// A control frame holds 125 bytes, two of them the code.
constexpr std::size_t kMaxReason = 123;
/// A message buffer that has grown beyond this is given back after the message.
constexpr std::size_t kKeptBuffer = 64 * 1024;

}  // namespace

ServerWebSocket::ServerWebSocket(std::shared_ptr<ServerCore> core, UpgradeDecision decision,
                                 const SocketAddress& peer)
    : core_(std::move(core)),
      session_(std::move(decision.session)),
      subprotocol_(std::move(decision.subprotocol)),
      peer_(peer),
      last_heard_(core_->loop().now()) {
  // The handshake is written when the socket is handed over; it has the time of a head for it.
  close_deadline_ = last_heard_ + core_->options().head_timeout;
}

void ServerWebSocket::send_text(std::string_view message) {
  if (wsi_ == nullptr || close_code_ != 0 || closing_ || aborted_) return;
  append_frame(writer_.queue(), Opcode::text, message);
  wake();
}

void ServerWebSocket::wake() {
  if (wsi_ != nullptr && !blocked_ && !ready) core_->mark_ready(*this);
}

void ServerWebSocket::close(std::uint16_t code, std::string_view reason) {
  if (wsi_ == nullptr || close_code_ != 0 || closing_) return;
  close_code_ = code;
  close_reason_ = reason.substr(0, kMaxReason);
  while (!text::is_utf8(close_reason_) && !close_reason_.empty()) close_reason_.pop_back();
  close_deadline_ = core_->loop().now() + core_->options().close_timeout;
  wake();
}

void ServerWebSocket::abort() {
  if (wsi_ == nullptr) return;
  if (!std::exchange(aborted_, true)) {
    // What the peer has not read goes with the connection.
    const linger at_once{1, 0};
    (void)::setsockopt(lws_get_socket_fd(wsi_), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
  }
  core_->lws().kill(wsi_);
}

void ServerWebSocket::pause_reading(bool paused) {
  if (wsi_ == nullptr || paused_ == paused) return;
  paused_ = paused;
  heard();
  lws_rx_flow_control(wsi_, paused ? 0 : 1);
  if (!paused) core_->lws().wake();
}

void ServerWebSocket::flush() {
  if (wsi_ == nullptr || !open_ || closing_ || aborted_) return;
  blocked_ = false;
  switch (writer_.flush(wsi_, close_code_ == 0 ? source_ : nullptr)) {
    case FrameWriter::Progress::idle:
      if (close_code_ != 0) start_closing();
      break;
    case FrameWriter::Progress::blocked: blocked_ = true; break;
    case FrameWriter::Progress::more: core_->mark_ready(*this); break;
    case FrameWriter::Progress::failed: core_->lws().kill(wsi_); break;
  }
}

void ServerWebSocket::check_deadline(TimePoint now) {
  if (wsi_ == nullptr) return;
  const bool waits = !open_ || close_code_ != 0 || closing_ || aborted_;
  if (waits) {
    if (now >= close_deadline_) abort();
    return;
  }
  if (paused_) return;
  const auto interval = core_->options().ping_interval;
  // Counted from the ping, so that a process that was itself stopped for a while asks before it drops anyone.
  if (last_ping_ > last_heard_ && now - last_ping_ >= interval) {
    log::debug("{}: no answer to a ping, dropped", peer_.text());
    abort();
  } else if (last_ping_ <= last_heard_ && now - last_heard_ >= interval) {
    last_ping_ = now;
    append_frame(writer_.queue(), Opcode::ping, kPingPayload);
    wake();
  }
}

void ServerWebSocket::drop() {
  if (wsi_ != nullptr) {
    core_->lws().silence(wsi_);
    core_->lws().kill(std::exchange(wsi_, nullptr));
  }
  session_.reset();
}

int ServerWebSocket::on_lws(lws* wsi, lws_callback_reasons reason, void* in, std::size_t size) noexcept {
  const auto self = shared_from_this();
  wsi_ = wsi;
  switch (reason) {
    case LWS_CALLBACK_ADD_HEADERS: return add_subprotocol(*static_cast<lws_process_html_args*>(in));
    case LWS_CALLBACK_ESTABLISHED: return opened();
    case LWS_CALLBACK_RECEIVE: return received({static_cast<const char*>(in), size});
    case LWS_CALLBACK_RECEIVE_PONG: heard(); return 0;
    case LWS_CALLBACK_SERVER_WRITEABLE: return writable();
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE:
      closing_ = true;
      close_deadline_ = core_->loop().now() + core_->options().close_timeout;
      return 0;
    case LWS_CALLBACK_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY: ended(); return 0;
    default: return 0;
  }
}

int ServerWebSocket::add_subprotocol(lws_process_html_args& args) const {
  if (subprotocol_.empty()) return 0;
  const std::string field = "Sec-WebSocket-Protocol: " + subprotocol_ + "\r\n";
  if (args.max_len < 0 || field.size() > static_cast<std::size_t>(args.max_len)) return -1;
  std::memcpy(args.p, field.data(), field.size());
  args.p += field.size();
  return 0;
}

int ServerWebSocket::opened() {
  open_ = true;
  heard();
  session_->opened(*this);
  return wsi_ == nullptr ? -1 : 0;
}

int ServerWebSocket::received(std::string_view bytes) {
  heard();
  // After close() nothing is passed on any more, and what broke a rule is not looked at further.
  if (close_code_ != 0 || closing_ || aborted_ || !session_) return 0;
  if (message_.size() + bytes.size() > core_->options().max_message) {
    message_ = {};
    writer_.clear();
    close(1009, "the message is too long");
    return 0;
  }
  if (lws_is_final_fragment(wsi_) == 0) {
    message_.append(bytes);
    return 0;
  }
  if (!message_.empty()) {
    message_.append(bytes);
    bytes = message_;
  }
  const bool binary = lws_frame_is_binary(wsi_) != 0;
  if (!binary && !text::is_utf8(bytes)) {
    message_ = {};
    writer_.clear();
    close(1007, "the text is not UTF-8");
    return 0;
  }
  session_->received(bytes, binary);
  if (message_.capacity() > kKeptBuffer) {
    message_ = {};
  } else {
    message_.clear();
  }
  return wsi_ == nullptr ? -1 : 0;
}

int ServerWebSocket::writable() {
  if (closing_ || aborted_ || !open_) return 0;
  // The peer takes bytes: it lives, even when its pong stands behind a long backlog.
  if (std::exchange(blocked_, false)) heard();
  core_->mark_ready(*this);
  return 0;
}

void ServerWebSocket::start_closing() {
  closing_ = true;
  LwsContext::close(wsi_, close_code_, close_reason_);
}

void ServerWebSocket::ended() {
  core_->lws().silence(wsi_);
  wsi_ = nullptr;
  source_ = nullptr;
  if (open_ && session_) session_->closed();
  session_.reset();
  core_->remove(*this);
}

}  // namespace aiot::ws
