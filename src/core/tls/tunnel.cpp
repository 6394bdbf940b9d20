#include "core/tls/tunnel.h"

#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <string_view>
#include <utility>

#include "core/tls/client_context.h"

namespace aiot::tls {
namespace {

/// The largest TLS record (RFC 8446 section 5.1): one read never leaves a part of it inside OpenSSL, so the
/// descriptor tells whether there is more.
constexpr std::size_t kRecord = 16 * 1024;
/// What one connection may move in one turn, so that the others get theirs.
constexpr int kRecordsPerTurn = 16;
/// After close_notify the peer has this long to hang up: closing on unread bytes would reset the connection
/// and take what it has not read along.
constexpr Duration kFarewell = std::chrono::seconds(2);

constexpr std::string_view kPlainAnswer =
    "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 40\r\n"
    "Connection: close\r\n\r\n400 Bad Request: this port speaks HTTPS\n";

}  // namespace

Tunnel::Tunnel(EventLoop& loop, SSL_CTX& context, int outer, int inner, Duration linger,
               UniqueFunction<void()> ended)
    : loop_(loop),
      ssl_(SSL_new(&context)),
      outer_(outer),
      inner_(inner),
      linger_(linger),
      ended_(std::move(ended)) {
  timer_ = loop_.make_timer([this] { end(); });
}

Tunnel::~Tunnel() {
  outer_watch_.reset();
  inner_watch_.reset();
  if (ssl_ != nullptr) SSL_free(ssl_);
  ::close(outer_);
  ::close(inner_);
}

void Tunnel::start() {
  if (ssl_ == nullptr || SSL_set_fd(ssl_, outer_) != 1) {
    failure_ = openssl_reason();
    return timer_->start(Duration::zero());
  }
  SSL_set_accept_state(ssl_);
  outer_watch_ = loop_.watch(outer_, FdWatch::kReadable, [this](unsigned) { pump(); });
  inner_watch_ = loop_.watch(inner_, FdWatch::kHangup, [this](unsigned) { pump(); });
}

void Tunnel::pump() {
  wants_write_ = false;
  if (!shaken_ && !shake_hands()) return;
  if (shaken_ && (!from_peer() || !to_peer())) return end();
  arm();
}

bool Tunnel::shake_hands() {
  // The owner of the other end gives up: there is nothing to say to a peer that has not come so far.
  char byte = 0;
  const auto peeked = ::recv(inner_, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  if (peeked == 0 || (peeked < 0 && errno != EAGAIN && errno != EINTR)) {
    end();
    return false;
  }
  ERR_clear_error();
  const int outcome = SSL_do_handshake(ssl_);
  if (outcome == 1) {
    shaken_ = true;
    return true;
  }
  const int why = SSL_get_error(ssl_, outcome);
  if (why == SSL_ERROR_WANT_READ || why == SSL_ERROR_WANT_WRITE) {
    wants_write_ = why == SSL_ERROR_WANT_WRITE;
    return true;
  }
  const auto code = ERR_peek_error();
  if (ERR_GET_LIB(code) == ERR_LIB_SSL && ERR_GET_REASON(code) == SSL_R_HTTP_REQUEST) answer_plain_http();
  failure_ = code == 0 ? "the peer hung up" : openssl_reason();
  end();
  return false;
}

void Tunnel::answer_plain_http() const {
  // Read what it sent, or closing resets the connection and takes the answer along.
  std::array<char, 4096> rest;
  (void)::recv(outer_, rest.data(), rest.size(), MSG_DONTWAIT);
  (void)::send(outer_, kPlainAnswer.data(), kPlainAnswer.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
}

void Tunnel::deliver() {
  while (!clear_.empty()) {
    const auto sent = ::send(inner_, clear_.data(), clear_.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) return;
      // Nobody is left to take it, but what was written before may still be on its way.
      clear_.clear();
      outer_ended_ = true;
      return;
    }
    clear_.erase(0, static_cast<std::size_t>(sent));
  }
}

bool Tunnel::from_peer() {
  std::array<char, kRecord> record;
  for (int i = 0; i < kRecordsPerTurn; ++i) {
    deliver();
    if (!clear_.empty() || outer_ended_) return true;
    ERR_clear_error();
    const int count = SSL_read(ssl_, record.data(), static_cast<int>(record.size()));
    if (count > 0) {
      clear_.assign(record.data(), static_cast<std::size_t>(count));
      continue;
    }
    const int why = SSL_get_error(ssl_, count);
    if (why == SSL_ERROR_WANT_READ) return true;
    if (why == SSL_ERROR_WANT_WRITE) {
      wants_write_ = true;
      return true;
    }
    outer_ended_ = true;
    // With the connection itself gone nothing can be answered; after close_notify it can.
    if (why != SSL_ERROR_ZERO_RETURN) return false;
    (void)::shutdown(inner_, SHUT_WR);
  }
  return true;
}

bool Tunnel::write_tls() {
  while (!secret_.empty()) {
    ERR_clear_error();
    const int count = SSL_write(ssl_, secret_.data(), static_cast<int>(secret_.size()));
    if (count <= 0) {
      const int why = SSL_get_error(ssl_, count);
      if (why != SSL_ERROR_WANT_WRITE && why != SSL_ERROR_WANT_READ) return false;
      wants_write_ = wants_write_ || why == SSL_ERROR_WANT_WRITE;
      return true;
    }
    secret_.erase(0, static_cast<std::size_t>(count));
  }
  return true;
}

bool Tunnel::to_peer() {
  std::array<char, kRecord> record;
  for (int i = 0; !inner_ended_ || !secret_.empty(); ++i) {
    if (!write_tls()) return false;
    if (!secret_.empty() || i == kRecordsPerTurn) return true;
    if (inner_ended_) break;
    const auto count = ::recv(inner_, record.data(), record.size(), MSG_DONTWAIT);
    if (count > 0) {
      secret_.assign(record.data(), static_cast<std::size_t>(count));
      continue;
    }
    if (count < 0 && errno == EINTR) continue;
    if (count < 0 && errno == EAGAIN) return true;
    inner_ended_ = true;
    timer_->start(linger_);
  }
  if (!std::exchange(shut_, true)) {
    ERR_clear_error();
    (void)SSL_shutdown(ssl_);
    (void)::shutdown(outer_, SHUT_WR);
    timer_->start(std::min(linger_, kFarewell));
  }
  return !outer_ended_;
}

void Tunnel::arm() {
  unsigned outer = wants_write_ ? FdWatch::kWritable : 0U;
  if (clear_.empty() && !outer_ended_) outer |= FdWatch::kReadable;
  unsigned inner = clear_.empty() ? 0U : static_cast<unsigned>(FdWatch::kWritable);
  if (!shaken_) {
    inner = FdWatch::kHangup;
  } else if (secret_.empty() && !inner_ended_) {
    inner |= FdWatch::kReadable;
  }
  outer_watch_->set(outer);
  inner_watch_->set(inner);
}

void Tunnel::end() {
  outer_watch_.reset();
  inner_watch_.reset();
  timer_->stop();
  if (auto ended = std::exchange(ended_, nullptr)) ended();
}

}  // namespace aiot::tls
