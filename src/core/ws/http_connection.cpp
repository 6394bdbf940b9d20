#include "core/ws/http_connection.h"

#include <fmt/format.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/log.h"
#include "core/base/text.h"
#include "core/ws/forwarded.h"
#include "core/ws/responder.h"

namespace aiot::ws {
namespace {

/// What may be sent ahead of the answers before reading stops.
constexpr std::size_t kReadAhead = 64 * 1024;
/// Of what comes behind the last answer; see finish_response().
constexpr std::size_t kDrainBytes = 4 * 1024 * 1024;

bool is_upgrade(const RequestHead& head) {
  return head.method == "GET" && header_has_token(head.headers, "upgrade", "websocket") &&
         header_has_token(head.headers, "connection", "upgrade");
}

}  // namespace

HttpConnection::HttpConnection(std::shared_ptr<ServerCore> core, int descriptor, const SocketAddress& peer,
                               bool secure)
    : core_(std::move(core)),
      descriptor_(descriptor),
      connected_(peer),
      encrypted_(secure),
      peer_(peer),
      secure_(secure) {}

HttpConnection::~HttpConnection() {
  watch_.reset();
  if (descriptor_ >= 0) ::close(descriptor_);
}

void HttpConnection::start() {
  expect_within(core_->options().head_timeout);
  watched_ = FdWatch::kReadable;
  watch_ = core_->loop().watch(descriptor_, watched_, [this](unsigned events) { on_event(events); });
}

void HttpConnection::watch(unsigned events) {
  if (watched_ == events || !watch_) return;
  watched_ = events;
  watch_->set(events);
}

void HttpConnection::expect_within(Duration wait) { deadline_ = core_->loop().now() + wait; }

void HttpConnection::drop_input(std::size_t bytes) {
  in_head_ += bytes;
  scanned_ = 0;
  if (in_head_ == in_.size()) {
    in_.clear();
    in_head_ = 0;
  } else if (in_head_ > kReadAhead) {
    in_.erase(0, in_head_);
    in_head_ = 0;
  }
}

void HttpConnection::on_event(unsigned events) {
  const auto self = shared_from_this();
  if ((events & FdWatch::kWritable) != 0 && state_ == State::writing && write()) finish_response();
  if ((events & FdWatch::kWritable) != 0 && state_ == State::streaming) pump();
  if ((events & (FdWatch::kReadable | FdWatch::kHangup)) != 0 && state_ != State::closed) read();
}

void HttpConnection::read() {
  if (state_ == State::writing) return;
  auto& scratch = core_->scratch();
  const auto count = ::recv(descriptor_, scratch.data(), scratch.size(), 0);
  if (count < 0) {
    if (errno != EAGAIN && errno != EINTR) close();
    return;
  }
  if (count == 0) {
    peer_closed_ = true;
    // A client may send its request, shut down its side and wait for the answer.
    if (state_ == State::answering) {
      watch(0);
    } else {
      close();
    }
    return;
  }
  if (state_ == State::draining) {
    drained_ += static_cast<std::size_t>(count);
    if (drained_ > kDrainBytes) close();
    return;
  }
  if (state_ == State::streaming) return;  // nothing can be asked behind a body without an end
  const std::string_view bytes(scratch.data(), static_cast<std::size_t>(count));
  if (state_ == State::head && answered_ > 0 && input().empty()) expect_within(core_->options().head_timeout);
  in_.append(bytes);
  if (state_ == State::answering && input().size() > kReadAhead) watch(0);
  process();
}

void HttpConnection::process() {
  if (processing_) return;
  processing_ = true;
  bool going = true;
  while (going) {
    switch (state_) {
      case State::head: going = process_head(); break;
      case State::body: going = process_body(); break;
      default: going = false; break;
    }
  }
  processing_ = false;
}

bool HttpConnection::process_head() {
  const auto end = find_head_end(input(), scanned_);
  const auto limit = core_->options().max_head;
  if (end > limit || (end == 0 && input().size() > limit)) {
    core_->count_refused_head();
    refuse(431, fmt::format("the head is longer than {} bytes", limit));
    return false;
  }
  if (end == 0) {
    if (!may_begin_request(input())) {
      core_->count_refused_head();
      refuse(400, "this is no HTTP");
      return false;
    }
    scanned_ = input().size();
    if (core_->stopping() && input().empty()) close();
    return false;
  }
  auto head = parse_request_head(input().substr(0, end));
  drop_input(end);
  if (!head) {
    core_->count_refused_head();
    refuse(head.error().native, head.error().message);
    return false;
  }
  head_ = std::move(*head);
  peer_ = connected_;
  secure_ = encrypted_;
  apply_forwarded(core_->options().trusted_proxies, head_.headers, peer_, secure_);
  head_only_ = head_.method == "HEAD";
  keep_alive_ = keeps_alive(head_.minor, head_.headers);
  ++serial_;
  began_ = core_->loop().now();
  const auto framing = request_framing(head_);
  if (!framing) {
    core_->count_refused_head();
    refuse(framing.error().native, framing.error().message);
    return false;
  }
  if (is_upgrade(head_)) {
    upgrade();
    return false;
  }
  body_ = BodyDecoder(*framing, core_->options().max_body);
  state_ = State::body;
  if (body_.status() == BodyDecoder::Status::more) {
    expect_within(core_->options().body_timeout);
    if (head_.minor > 0 && input().empty() && header_has_token(head_.headers, "expect", "100-continue")) {
      constexpr std::string_view go_on = "HTTP/1.1 100 Continue\r\n\r\n";
      // A fresh or answered connection has room for it; a client must not insist on it (RFC 9110 10.1.1).
      (void)::send(descriptor_, go_on.data(), go_on.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    }
  }
  return true;
}

bool HttpConnection::process_body() {
  auto rest = input();
  const auto status = body_.feed(rest);
  drop_input(input().size() - rest.size());
  switch (status) {
    case BodyDecoder::Status::more: return false;
    case BodyDecoder::Status::malformed: refuse(400, "the body is not chunked as it must be"); return false;
    case BodyDecoder::Status::too_large:
      refuse(413, fmt::format("the body is longer than {} bytes", core_->options().max_body));
      return false;
    case BodyDecoder::Status::done: break;
  }
  dispatch();
  return state_ == State::head;
}

void HttpConnection::dispatch() {
  state_ = State::answering;
  HttpRequest request;
  request.method = head_only_ ? "GET" : std::move(head_.method);
  request.path = std::move(head_.path);
  request.query = std::move(head_.query);
  request.headers = std::move(head_.headers);
  request.body = body_.take();
  request.peer = peer_;
  request.secure = secure_;
  HttpResponder responder(std::make_shared<ConnectionReply>(weak_from_this(), serial_));
  core_->on_request()(std::move(request), std::move(responder));
}

void HttpConnection::upgrade() {
  const auto key = std::string(find_header(head_.headers, "sec-websocket-key"));
  if (find_header(head_.headers, "sec-websocket-version") != "13") {
    core_->count_refused_head();
    refuse(426, "only version 13 of WebSocket is spoken here", {{"Sec-WebSocket-Version", "13"}});
    return;
  }
  if (const auto nonce = text::decode_base64(key); key.size() != 24 || !nonce || nonce->size() != 16) {
    core_->count_refused_head();
    refuse(400, "Sec-WebSocket-Key is not 16 bytes in base 64");
    return;
  }
  UpgradeRequest request;
  request.path = std::move(head_.path);
  request.query = std::move(head_.query);
  request.headers = std::move(head_.headers);
  request.subprotocols = split_list(join_header(request.headers, "sec-websocket-protocol"));
  request.origin = find_header(request.headers, "origin");
  request.peer = peer_;
  request.secure = secure_;
  auto decision = core_->on_upgrade()(request);
  if (state_ == State::closed) return;
  if (!decision.session) {
    refuse(decision.refuse_status, decision.refuse_reason);
    return;
  }
  // Silence, because there are peers that never come back after a 5xx.
  if (descriptor_ >= core_->lws().max_descriptor()) return close();
  watch_.reset();
  const int descriptor = std::exchange(descriptor_, -1);
  const auto rest = std::string(input());
  const auto core = core_;
  close();
  core->adopt(descriptor, key, rest, std::move(decision), peer_, counted);
}

void HttpConnection::check_deadline(TimePoint now) {
  if (state_ == State::answering || state_ == State::closed || now < deadline_) return;
  const auto self = shared_from_this();
  if (state_ == State::head && (answered_ == 0 || !input().empty())) {
    core_->count_refused_head();
    if (!input().empty()) return refuse(408, "the head did not come in time");
  } else if (state_ == State::body) {
    return refuse(408, "the body did not come in time");
  } else if (state_ == State::writing || state_ == State::streaming) {
    // It takes nothing: what is left in the socket goes too.
    const linger now_at_once{1, 0};
    (void)::setsockopt(descriptor_, SOL_SOCKET, SO_LINGER, &now_at_once, sizeof now_at_once);
  }
  close();
}

void HttpConnection::wind_down() {
  const auto self = shared_from_this();
  keep_alive_ = false;
  if (state_ == State::streaming || (state_ == State::head && input().empty())) close();
}

void HttpConnection::close() {
  if (state_ == State::closed) return;
  const auto self = shared_from_this();
  state_ = State::closed;
  if (const auto stream = std::move(response_.stream)) stream->closed();
  watch_.reset();
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
  core_->remove(*this);
}

}  // namespace aiot::ws
