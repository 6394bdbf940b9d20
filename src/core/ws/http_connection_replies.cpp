#include <fmt/format.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <cerrno>
#include <string_view>
#include <utility>

#include "core/ws/http_connection.h"
#include "core/ws/http_head.h"
#include "core/ws/http_response.h"

/// The way back: answers, and bodies without an end.
namespace aiot::ws {
namespace {

/// What is written in one turn: a big list to one client does not hold up the others.
constexpr std::size_t kWriteShare = 512 * 1024;
/// After the last answer the peer's remaining bytes are read away for a while: closing with unread bytes
/// would reset the connection and take the answer with it.
constexpr Duration kDrainTime = std::chrono::seconds(2);

/// What every answer tells a browser that its handler did not say otherwise: it is what it says it is, in
/// nobody's frame, runs nothing and tells nobody where it was.
void add_defaults(Headers& headers) {
  constexpr std::pair<std::string_view, std::string_view> kDefaults[] = {
      {"content-security-policy", "default-src 'none'; frame-ancestors 'none'"},
      {"x-content-type-options", "nosniff"},
      {"x-frame-options", "DENY"},
      {"referrer-policy", "no-referrer"}};
  for (const auto& [name, value] : kDefaults) {
    if (find_header(headers, name).empty()) headers.emplace_back(name, value);
  }
}

}  // namespace

void HttpConnection::refuse(int status, std::string why, Headers headers) {
  HttpResponse response;
  if (state_ == State::body && core_->on_refusal()) {
    response = core_->on_refusal()(head_.path, status, std::move(why));
  } else {
    response.status = status;
    response.body = why.empty() ? fmt::format("{} {}\n", status, reason_phrase(status))
                                : fmt::format("{} {}: {}\n", status, reason_phrase(status), why);
  }
  for (auto& header : headers) response.headers.push_back(std::move(header));
  keep_alive_ = false;
  head_only_ = false;
  start_response(std::move(response));
}

void HttpConnection::reply(std::uint64_t serial, HttpResponse response) {
  if (state_ != State::answering || serial != serial_) return;
  const auto self = shared_from_this();
  start_response(std::move(response));
  process();
}

void HttpConnection::start_response(HttpResponse response) {
  if (core_->stopping() || peer_closed_ || response.stream) keep_alive_ = false;
  response_ = std::move(response);
  add_defaults(response_.headers);
  const auto age = std::chrono::floor<std::chrono::seconds>(core_->options().strict_transport).count();
  if (secure_ && age > 0)
    response_.headers.emplace_back("Strict-Transport-Security", fmt::format("max-age={}", age));
  if (head_only_ || is_bodiless(response_.status)) response_.stream.reset();
  out_body_ = response_.static_body ? *response_.static_body : std::string_view(response_.body);
  out_ = response_head(response_, out_body_.size(), keep_alive_, core_->loop().wall_now());
  if (head_only_ || is_bodiless(response_.status)) out_body_ = {};
  out_sent_ = 0;
  state_ = State::writing;
  expect_within(core_->options().write_timeout);
  if (write()) finish_response();
}

bool HttpConnection::write() {
  const auto total = out_.size() + out_body_.size();
  iovec parts[2];
  int count = 0;
  auto offset = out_sent_;
  std::size_t share = kWriteShare;
  for (const std::string_view part : {std::string_view(out_), out_body_}) {
    if (offset >= part.size()) {
      offset -= part.size();
      continue;
    }
    const auto rest = part.substr(offset, share);
    offset = 0;
    share -= rest.size();
    parts[count].iov_base = const_cast<char*>(rest.data());
    parts[count++].iov_len = rest.size();
  }
  msghdr message{};
  message.msg_iov = parts;
  message.msg_iovlen = static_cast<std::size_t>(count);
  const auto sent = ::sendmsg(descriptor_, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
  if (sent < 0 && errno != EAGAIN && errno != EINTR) {
    close();
    return false;
  }
  if (sent > 0) {
    out_sent_ += static_cast<std::size_t>(sent);
    expect_within(core_->options().write_timeout);
  }
  if (out_sent_ == total) return true;
  watch(FdWatch::kWritable);
  return false;
}

void HttpConnection::pump() {
  if (state_ != State::streaming) return;
  const auto self = shared_from_this();
  for (;;) {
    if (out_sent_ == out_.size()) {
      out_ = response_.stream->take();
      out_sent_ = 0;
      if (out_.empty() && response_.stream->ended()) return close();
      if (out_.empty()) break;
    }
    expect_within(core_->options().write_timeout);
    if (!write()) return;
  }
  deadline_ = TimePoint::max();
  watch(FdWatch::kReadable);
}

void HttpConnection::finish_response() {
  ++answered_;
  if (response_.stream && !peer_closed_ && !core_->stopping()) {
    state_ = State::streaming;
    out_.clear();
    out_body_ = {};
    out_sent_ = 0;
    response_.stream->attached([self = weak_from_this()] {
      if (const auto connection = self.lock()) connection->pump();
    });
    return pump();
  }
  response_ = {};
  out_.clear();
  out_body_ = {};
  if (!keep_alive_) {
    if (peer_closed_) return close();
    state_ = State::draining;
    in_.clear();
    in_head_ = 0;
    ::shutdown(descriptor_, SHUT_WR);
    expect_within(kDrainTime);
    return watch(FdWatch::kReadable);
  }
  state_ = State::head;
  // A request that has begun to arrive is held to the head's time, silence to the idle time.
  expect_within(input().empty() ? core_->options().idle_timeout : core_->options().head_timeout);
  watch(FdWatch::kReadable);
  process();
}

}  // namespace aiot::ws
