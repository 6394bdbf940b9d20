#include "core/ws/client_stream.h"

#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/ws/client_error.h"

namespace aiot::ws {
namespace {

constexpr std::size_t kReadSize = 64 * 1024;

}  // namespace

ClientStream::ClientStream(EventLoop& loop, const Endpoint& endpoint, Duration timeout, Callbacks callbacks)
    : loop_(loop),
      endpoint_(endpoint),
      deadline_(loop.now() + timeout),
      callbacks_(std::move(callbacks)),
      last_error_(make_error(Errc::unreachable, endpoint.host + ": no address")),
      buffer_(kReadSize) {
  timer_ = loop_.make_timer([this] {
    close_socket();
    attempt_failed(
        make_error(Errc::unreachable, fmt::format("{} does not answer", endpoint_text(endpoint_))));
  });
  resolving_ =
      loop_.resolve(endpoint_.host, endpoint_.port, [this](Result<std::vector<SocketAddress>> found) {
        if (!found) return fail(std::move(found).error());
        addresses_ = std::move(*found);
        dial_next();
      });
}

ClientStream::~ClientStream() {
  *alive_ = false;
  close_socket();
}

void ClientStream::close_socket() {
  watch_.reset();
  if (tls_ != nullptr) SSL_free(std::exchange(tls_, nullptr));
  if (descriptor_ >= 0) ::close(std::exchange(descriptor_, -1));
}

void ClientStream::stop() {
  state_ = State::over;
  resolving_.cancel();
  timer_->stop();
  close_socket();
}

void ClientStream::dial_next() {
  if (next_address_ >= addresses_.size()) return fail(last_error_);
  const auto left = static_cast<Duration::rep>(addresses_.size() - next_address_);
  const auto& address = addresses_[next_address_++];
  // A dead address may not use up the time of those after it; the last has what the owner gives it.
  timer_->stop();
  if (left > 1) timer_->start(std::max<Duration>((deadline_ - loop_.now()) / left, Duration::zero()));
  dial(address);
}

void ClientStream::dial(const SocketAddress& address) {
  state_ = State::connecting;
  sockaddr_storage to{};
  const auto length = address.to(to);
  descriptor_ = ::socket(to.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  const auto what = fmt::format("cannot connect to {}", address.text());
  if (descriptor_ < 0) return attempt_failed(errno_error(what, errno));
  const int on = 1;
  (void)::setsockopt(descriptor_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  if (::connect(descriptor_, reinterpret_cast<sockaddr*>(&to), length) != 0 && errno != EINPROGRESS) {
    const int error = errno;
    close_socket();
    return attempt_failed(errno_error(what, error));
  }
  watch_ = loop_.watch(descriptor_, FdWatch::kWritable, [this](unsigned events) { on_event(events); });
}

void ClientStream::attempt_failed(Error why) {
  last_error_ = std::move(why);
  last_error_.code = Errc::unreachable;
  dial_next();
}

void ClientStream::on_event(unsigned events) {
  const auto alive = alive_;
  if (state_ == State::connecting) return connected();
  if (state_ == State::handshaking) return handshake();
  const bool writes = (events & FdWatch::kWritable) != 0 || tls_ != nullptr;
  if (state_ == State::open && writes && !out_.empty()) write();
  if (!*alive) return;
  if (state_ == State::open && ((events & (FdWatch::kReadable | FdWatch::kHangup)) != 0 || tls_ != nullptr)) {
    read();
  }
}

void ClientStream::connected() {
  int error = 0;
  socklen_t size = sizeof error;
  (void)::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size);
  if (error != 0) {
    close_socket();
    const auto& address = addresses_[next_address_ - 1];
    return attempt_failed(errno_error(fmt::format("cannot connect to {}", address.text()), error));
  }
  timer_->stop();
  if (endpoint_.tls) return begin_tls();
  state_ = State::open;
  watch_->set(FdWatch::kReadable);
  callbacks_.connected();
}

void ClientStream::begin_tls() {
  auto context = tls::ClientContext::make(endpoint_.files, endpoint_.host);
  if (!context) return fail(std::move(context).error());
  tls_context_ = std::move(*context);
  tls_ = SSL_new(tls_context_->get());
  SSL_set_fd(tls_, descriptor_);
  tls_context_->name_server(tls_);
  constexpr unsigned char alpn[] = "\x08http/1.1";
  SSL_set_alpn_protos(tls_, alpn, sizeof alpn - 1);
  state_ = State::handshaking;
  handshake();
}

bool ClientStream::waits_for_tls(int outcome) {
  switch (SSL_get_error(tls_, outcome)) {
    case SSL_ERROR_WANT_READ: tls_wants_ = FdWatch::kReadable; break;
    case SSL_ERROR_WANT_WRITE: tls_wants_ = FdWatch::kWritable; break;
    default: return false;
  }
  watch_->set(FdWatch::kReadable | tls_wants_);
  return true;
}

Error ClientStream::tls_error() const {
  std::string why = tls_context_->failure();
  if (why.empty()) why = ERR_peek_error() == 0 ? "the peer closed the connection" : tls::openssl_reason();
  return make_error(Errc::unauthorized, fmt::format("no TLS with {}: {}", endpoint_text(endpoint_), why));
}

void ClientStream::handshake() {
  ERR_clear_error();
  const int outcome = SSL_connect(tls_);
  if (outcome != 1) {
    if (!waits_for_tls(outcome)) fail(tls_error());
    return;
  }
  state_ = State::open;
  watch_->set(FdWatch::kReadable);
  callbacks_.connected();
}

void ClientStream::send(std::string_view bytes) {
  out_ = bytes;
  write();
}

void ClientStream::write() {
  while (!out_.empty()) {
    if (tls_ != nullptr) {
      ERR_clear_error();
      const int count =
          SSL_write(tls_, out_.data(), static_cast<int>(std::min<std::size_t>(out_.size(), kReadSize)));
      if (count <= 0) {
        // A peer that stops reading may still have answered: that is for read() to find out.
        if (!waits_for_tls(count)) out_ = {};
        return;
      }
      sent_ = true;
      out_.remove_prefix(static_cast<std::size_t>(count));
      continue;
    }
    const auto count = ::send(descriptor_, out_.data(), out_.size(), MSG_NOSIGNAL);
    if (count < 0) {
      if (errno == EINTR) continue;
      if (errno != EAGAIN) {
        out_ = {};
        break;
      }
      return watch_->set(FdWatch::kReadable | FdWatch::kWritable);
    }
    sent_ = true;
    out_.remove_prefix(static_cast<std::size_t>(count));
  }
  watch_->set(FdWatch::kReadable);
}

void ClientStream::read() {
  const auto alive = alive_;
  // TLS may hold more than one read gives; a plain socket reports again by itself.
  for (int i = 0; i < 8 && *alive && state_ == State::open; ++i) {
    std::ptrdiff_t count = 0;
    if (tls_ != nullptr) {
      ERR_clear_error();
      count = SSL_read(tls_, buffer_.data(), static_cast<int>(buffer_.size()));
      if (count <= 0) {
        const auto outcome = static_cast<int>(count);
        if (SSL_get_error(tls_, outcome) == SSL_ERROR_WANT_READ && out_.empty()) return;
        if (waits_for_tls(outcome)) return;
        // With TLS 1.3 a client hears only now that the server refuses its certificate.
        if (!tls_context_->failure().empty()) return fail(tls_error());
        // Only a close_notify ends a body that has no length; a cut connection may hide a part of it.
        if (SSL_get_error(tls_, outcome) != SSL_ERROR_ZERO_RETURN) {
          return fail(make_error(Errc::unreachable,
                                 fmt::format("the connection to {} was lost", endpoint_text(endpoint_))));
        }
        count = 0;
      }
    } else {
      count = ::recv(descriptor_, buffer_.data(), buffer_.size(), 0);
      if (count < 0) {
        if (errno == EAGAIN || errno == EINTR) return;
        return fail(
            errno_error(fmt::format("the connection to {} was lost", endpoint_text(endpoint_)), errno));
      }
    }
    if (count == 0) {
      state_ = State::over;
      watch_.reset();
      return callbacks_.closed();
    }
    callbacks_.received({buffer_.data(), static_cast<std::size_t>(count)});
  }
  // OpenSSL may still hold bytes that the descriptor will not report.
  if (*alive && state_ == State::open && tls_ != nullptr && SSL_pending(tls_) > 0) {
    loop_.post([this, alive] {
      if (*alive && state_ == State::open) read();
    });
  }
}

void ClientStream::fail(Error why) {
  state_ = State::over;
  timer_->stop();
  close_socket();
  callbacks_.failed(std::move(why));
}

}  // namespace aiot::ws
