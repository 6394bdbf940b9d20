#include "core/ws/client_web_socket.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "core/base/log.h"
#include "core/base/random.h"
#include "core/base/text.h"
#include "core/ws/client_error.h"
#include "core/ws/frame.h"

namespace aiot::ws {
namespace {

constexpr std::size_t kMaxReason = 123;
constexpr std::size_t kKeptBuffer = 64 * 1024;
/// A longer message goes out in fragments, each one write.
constexpr std::size_t kFragment = FrameWriter::kWriteSize - 14;

std::uint32_t mask_key() { return static_cast<std::uint32_t>(random_u64()); }

}  // namespace

ClientWebSocket::ClientWebSocket(EventLoop& loop, Endpoint endpoint, ClientOptions options,
                                 WsClient::Callbacks callbacks)
    : loop_(loop),
      endpoint_(std::move(endpoint)),
      options_(std::move(options)),
      callbacks_(std::move(callbacks)),
      last_error_(make_error(Errc::unreachable, "no address was tried")) {}

std::string ClientWebSocket::where() const { return endpoint_text(endpoint_); }

void ClientWebSocket::start() {
  deadline_ = loop_.now() + options_.timeout;
  timer_ = loop_.make_timer([this] { on_timer(); });
  timer_->start(options_.timeout);
  context_ = LwsContext::get(loop_, endpoint_.tls);
  if (!context_) {
    loop_.post([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->finish(make_error(Errc::internal, "libwebsockets does not start"));
    });
    return;
  }
  resolving_ =
      loop_.resolve(endpoint_.host, endpoint_.port, [this](Result<std::vector<SocketAddress>> found) {
        const auto self = shared_from_this();
        resolved(std::move(found));
      });
}

void ClientWebSocket::resolved(Result<std::vector<SocketAddress>> addresses) {
  if (state_ != State::connecting) return;
  if (!addresses) return finish(std::move(addresses).error());
  addresses_ = std::move(*addresses);
  dial_next();
}

void ClientWebSocket::dial_next() {
  if (state_ != State::connecting) return;
  if (next_address_ >= addresses_.size()) return finish(last_error_);
  const auto left = static_cast<Duration::rep>(addresses_.size() - next_address_);
  const auto& address = addresses_[next_address_++];
  // A dead address may not use up the time of those after it.
  const auto now = loop_.now();
  attempt_deadline_ = now + std::max<Duration>((deadline_ - now) / left, Duration::zero());
  timer_->start(attempt_deadline_ - now);

  const auto host = address.host();
  const auto authority = host_header(endpoint_);
  const auto path = endpoint_.path + options_.path;
  const auto protocols = fmt::format("{}", fmt::join(options_.subprotocols, ", "));
  lws_client_connect_info info{};
  info.context = context_->native();
  info.vhost = context_->vhost();
  info.address = host.c_str();
  info.port = address.port();
  info.host = authority.c_str();
  info.path = path.empty() ? "/" : path.c_str();
  info.protocol = protocols.empty() ? nullptr : protocols.c_str();
  info.local_protocol_name = LwsContext::kClientProtocol;
  info.ssl_connection = LCCSCF_HTTP_NO_FOLLOW_REDIRECT | (endpoint_.tls ? LCCSCF_USE_SSL : 0);
  info.alpn = "http/1.1";
  info.ietf_version_or_minus_one = -1;
  info.retry_and_idle_policy = LwsContext::no_keepalive();
  info.opaque_user_data = context_->enroll(*this);
  lws* made = nullptr;
  info.pwsi = &made;
  asked_ = false;
  dialling_ = true;
  const auto* connected = lws_client_connect_via_info(&info);
  dialling_ = false;
  if (connected == nullptr) {
    context_->forget(info.opaque_user_data);
    attempt_failed(
        make_error(Errc::unreachable, fmt::format("cannot connect to {}", address.text()), ECONNREFUSED));
  } else {
    wsi_ = made;
  }
}

void ClientWebSocket::attempt_failed(Error why) {
  last_error_ = std::move(why);
  loop_.post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->dial_next();
  });
}

void ClientWebSocket::on_timer() {
  const auto self = shared_from_this();
  const auto now = loop_.now();
  if (state_ == State::connecting) {
    if (now >= deadline_) {
      return finish(make_error(Errc::timeout, fmt::format("no connection to {} within {}", where(),
                                                          format_duration(options_.timeout))));
    }
    if (now < attempt_deadline_) return timer_->start(attempt_deadline_ - now);
    detach();
    return attempt_failed(make_error(Errc::timeout, fmt::format("{} does not answer", where())));
  }
  if (state_ == State::closing) {
    if (now >= deadline_) return lost();
    return timer_->start(deadline_ - now);
  }
  if (state_ != State::open) return;
  const auto interval = options_.ping_interval;
  // Counted from the ping, so that a process that was itself stopped for a while asks before it gives up.
  if (last_ping_ > last_heard_ && now - last_ping_ >= interval) {
    return finish(make_error(Errc::unreachable, fmt::format("{} has not answered a ping for {}", where(),
                                                            format_duration(interval))));
  }
  if (last_ping_ <= last_heard_ && now - last_heard_ >= interval) {
    last_ping_ = now;
    append_masked_frame(writer_.queue(), Opcode::ping, kPingPayload, mask_key());
    schedule_flush();
  }
  timer_->start(options_.ping_interval / 4);
}

void ClientWebSocket::send(std::string_view message) {
  if (state_ == State::over || close_code_ != 0) return;
  auto& queue = writer_.queue();
  auto opcode = Opcode::text;
  do {
    const auto part = message.substr(0, kFragment);
    message.remove_prefix(part.size());
    append_masked_frame(queue, opcode, part, mask_key(), message.empty());
    opcode = Opcode::continuation;
  } while (!message.empty());
  if (writer_.queued() >= WsClient::kLowWater) above_low_water_ = true;
  schedule_flush();
}

void ClientWebSocket::close(std::uint16_t code, std::string_view reason) {
  if (state_ == State::over || close_code_ != 0) return;
  close_code_ = code;
  close_reason_ = reason.substr(0, kMaxReason);
  while (!text::is_utf8(close_reason_) && !close_reason_.empty()) close_reason_.pop_back();
  if (state_ == State::connecting) {
    loop_.post([weak = weak_from_this()] {
      if (auto self = weak.lock()) self->lost();
    });
    return;
  }
  state_ = State::closing;
  deadline_ = loop_.now() + options_.close_timeout;
  timer_->start(options_.close_timeout);
  schedule_flush();
}

void ClientWebSocket::schedule_flush() {
  if (blocked_ || (state_ != State::open && state_ != State::closing)) return;
  if (std::exchange(flush_posted_, true)) return;
  loop_.post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->flush();
  });
}

void ClientWebSocket::flush() {
  flush_posted_ = false;
  if (wsi_ == nullptr || handshaking_close_ || (state_ != State::open && state_ != State::closing)) return;
  const auto progress = writer_.flush(wsi_, nullptr);
  blocked_ = progress == FrameWriter::Progress::blocked;
  if (progress == FrameWriter::Progress::failed) return lost();
  if (progress == FrameWriter::Progress::more) schedule_flush();
  if (progress == FrameWriter::Progress::idle && close_code_ != 0) {
    handshaking_close_ = true;
    LwsContext::close(wsi_, close_code_, close_reason_);
    return;
  }
  if (above_low_water_ && writer_.queued() < WsClient::kLowWater) {
    above_low_water_ = false;
    if (callbacks_.writable) callbacks_.writable();
  }
}

int ClientWebSocket::on_lws(lws* wsi, lws_callback_reasons reason, void* in, std::size_t size) noexcept {
  const auto self = shared_from_this();
  if (dialling_) return 0;  // the call itself says whether it worked
  const std::string_view bytes(static_cast<const char*>(in), in == nullptr ? 0 : size);
  switch (reason) {
    case LWS_CALLBACK_CLIENT_APPEND_HANDSHAKE_HEADER:
      asked_ = true;
      return append_headers(static_cast<char**>(in), size);
    case LWS_CALLBACK_CLIENT_FILTER_PRE_ESTABLISH: remember_subprotocol(wsi); return 0;
    case LWS_CALLBACK_CLIENT_ESTABLISHED: wsi_ = wsi; return opened();
    case LWS_CALLBACK_CLIENT_RECEIVE: return received(bytes);
    case LWS_CALLBACK_CLIENT_RECEIVE_PONG: last_heard_ = loop_.now(); return 0;
    case LWS_CALLBACK_CLIENT_WRITEABLE:
      if (std::exchange(blocked_, false)) last_heard_ = loop_.now();
      schedule_flush();
      return 0;
    case LWS_CALLBACK_WS_PEER_INITIATED_CLOSE: peer_closes(bytes); return 0;
    case LWS_CALLBACK_CLIENT_CONNECTION_ERROR: {
      auto why = refusal(wsi, bytes);
      context_->silence(wsi);
      wsi_ = nullptr;
      if (why.code == Errc::unreachable) {
        attempt_failed(std::move(why));
      } else {
        finish(std::move(why));
      }
      return 0;
    }
    case LWS_CALLBACK_CLIENT_CLOSED:
    case LWS_CALLBACK_WSI_DESTROY:
      context_->silence(wsi);
      wsi_ = nullptr;
      lost();
      return 0;
    default: return 0;
  }
}

int ClientWebSocket::append_headers(char** at, std::size_t room) const {
  std::string fields;
  for (const auto& [name, value] : options_.headers)
    fields.append(name).append(": ").append(value).append("\r\n");
  if (fields.size() > room) return -1;
  std::memcpy(*at, fields.data(), fields.size());
  *at += fields.size();
  return 0;
}

void ClientWebSocket::remember_subprotocol(lws* wsi) {
  const auto length = lws_hdr_total_length(wsi, WSI_TOKEN_PROTOCOL);
  if (length <= 0) return;
  subprotocol_.resize(static_cast<std::size_t>(length) + 1);
  const int copied = lws_hdr_copy(wsi, subprotocol_.data(), length + 1, WSI_TOKEN_PROTOCOL);
  subprotocol_.resize(copied > 0 ? static_cast<std::size_t>(copied) : 0);
}

int ClientWebSocket::opened() {
  const int on = 1;
  (void)::setsockopt(lws_get_socket_fd(wsi_), IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  state_ = State::open;
  last_heard_ = loop_.now();
  timer_->start(options_.ping_interval / 4);
  schedule_flush();
  if (callbacks_.opened) callbacks_.opened(subprotocol_);
  return wsi_ == nullptr ? -1 : 0;
}

int ClientWebSocket::received(std::string_view bytes) {
  last_heard_ = loop_.now();
  if (state_ != State::open) return 0;
  if (message_.size() + bytes.size() > options_.max_message) {
    message_ = {};
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
    close(1007, "the text is not UTF-8");
    return 0;
  }
  if (callbacks_.received) callbacks_.received(bytes, binary);
  if (message_.capacity() > kKeptBuffer) {
    message_ = {};
  } else {
    message_.clear();
  }
  return wsi_ == nullptr ? -1 : 0;
}

Error ClientWebSocket::refusal(lws* wsi, std::string_view text) const {
  const auto status = static_cast<int>(lws_http_client_http_response(wsi));
  if (status != 0 && status != 101) return status_error(where(), status);
  // libwebsockets tells what went wrong by text alone.
  if (text.substr(0, 3) == "HS:" || text.find("header") != std::string_view::npos) {
    return make_error(Errc::peer_failed, fmt::format("{} does not speak WebSocket here ({})", where(),
                                                     text::escape_controls(text)));
  }
  const bool tls = endpoint_.tls && text.find("nable to connect") == std::string_view::npos &&
                   text.find("losed before") == std::string_view::npos;
  if (tls) {
    return make_error(Errc::unauthorized,
                      fmt::format("no TLS with {}: {}", where(), text::escape_controls(text::trim(text))));
  }
  return make_error(Errc::unreachable, fmt::format("cannot connect to {}", where()),
                    asked_ ? 0 : ECONNREFUSED);
}

void ClientWebSocket::peer_closes(std::string_view payload) {
  handshaking_close_ = true;
  if (state_ == State::closing) return;
  state_ = State::closing;
  deadline_ = loop_.now() + options_.close_timeout;
  timer_->start(options_.close_timeout);
  int code = 1005;
  std::string reason;
  if (payload.size() >= 2) {
    code = static_cast<unsigned char>(payload[0]) * 256 + static_cast<unsigned char>(payload[1]);
    reason = text::escape_controls(payload.substr(2));
  }
  last_error_ = close_error(where(), code, reason);
  close_code_ = static_cast<std::uint16_t>(code);
}

void ClientWebSocket::lost() {
  if (state_ == State::over) return;
  if (state_ == State::closing && handshaking_close_ && last_error_.native >= 1000)
    return finish(last_error_);
  if (close_code_ != 0) return finish(closed_here_error(where(), close_code_, close_reason_));
  finish(make_error(Errc::unreachable, fmt::format("the connection to {} was lost", where())));
}

void ClientWebSocket::detach() {
  if (wsi_ == nullptr) return;
  context_->silence(wsi_);
  context_->kill(std::exchange(wsi_, nullptr));
}

void ClientWebSocket::finish(Error why) {
  if (state_ == State::over) return;
  const auto self = shared_from_this();
  state_ = State::over;
  resolving_.cancel();
  timer_.reset();
  detach();
  context_.reset();
  if (auto closed = std::move(callbacks_.closed)) closed(std::move(why));
}

void ClientWebSocket::drop() {
  if (state_ == State::over) return;
  if (state_ == State::open && wsi_ != nullptr && !handshaking_close_) {
    append_masked_frame(writer_.queue(), Opcode::close, std::string_view("\x03\xe9", 2), mask_key());
    (void)writer_.flush(wsi_, nullptr);
  }
  state_ = State::over;
  resolving_.cancel();
  timer_.reset();
  detach();
  context_.reset();
}

}  // namespace aiot::ws
