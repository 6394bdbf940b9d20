#include "core/ws/server_core.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/base/log.h"
#include "core/tls/identity.h"
#include "core/ws/http_connection.h"
#include "core/ws/server_web_socket.h"

namespace aiot::ws {
namespace {

constexpr int kBacklog = 4096;
/// Connections taken in one turn.
constexpr int kAcceptShare = 64;
/// A request that takes longer than this goes when there is no room for others.
constexpr Duration kPatience = std::chrono::seconds(5);
/// Writing to WebSockets is interrupted after this, so that reading gets its turn.
constexpr Duration kFlushShare = std::chrono::milliseconds(5);
/// Bytes in a socket that the network has not taken yet: what a client that does not read costs the kernel.
constexpr int kUnsentBytes = 256 * 1024;
/// Secure connections that are closed here and whose last bytes are on their way: more, and the first is cut.
constexpr std::size_t kMaxLingering = 256;
constexpr std::string_view kShuttingDown = "the server is shutting down";

/// max_connections needs descriptors: the soft limit is raised as far as the hard one allows.
void raise_descriptor_limit(std::size_t connections) {
  constexpr rlim_t others = 256;
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  const auto wanted = std::min<rlim_t>(connections + others, limit.rlim_max);
  if (limit.rlim_cur >= wanted) return;
  limit.rlim_cur = wanted;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) log::warn("cannot raise the limit of open files to {}", wanted);
}

}  // namespace

ServerCore::ServerCore(EventLoop& loop, HttpServerOptions options, HttpServer::RequestHandler on_request,
                       HttpServer::UpgradeHandler on_upgrade, HttpServer::RefusalHandler on_refusal)
    : loop_(loop),
      options_(std::move(options)),
      on_request_(std::move(on_request)),
      on_upgrade_(std::move(on_upgrade)),
      on_refusal_(std::move(on_refusal)),
      scratch_(64 * 1024) {
  const auto shortest = std::min({options_.head_timeout, options_.body_timeout, options_.idle_timeout,
                                  options_.ping_interval, options_.close_timeout, options_.write_timeout});
  tick_interval_ = std::clamp<Duration>(shortest / 4, std::chrono::milliseconds(5), std::chrono::seconds(1));
}

ServerCore::~ServerCore() {
  if (listener_ >= 0) ::close(listener_);
  if (spare_ >= 0) ::close(spare_);
}

Result<> ServerCore::listen() {
  // A secure connection has a socket pair beside its own socket.
  raise_descriptor_limit(options_.max_connections * (options_.identity ? 3 : 1));
  lws_ = LwsContext::get(loop_);
  if (!lws_) return make_error(Errc::internal, "libwebsockets does not start");
  const auto& at = options_.listen;
  const auto failed = [&](int error) {
    auto told = errno_error(fmt::format("cannot listen on {}", at.text()), error);
    if (error == EADDRINUSE || error == EADDRNOTAVAIL) told.code = Errc::unreachable;
    return told;
  };
  sockaddr_storage address{};
  const auto length = at.to(address);
  listener_ = ::socket(address.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (listener_ < 0) return failed(errno);
  const int on = 1;
  const int off = 0;
  (void)::setsockopt(listener_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // [::] takes IPv4 clients too, whatever the machine's default.
  if (at.family() == AF_INET6) (void)::setsockopt(listener_, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  if (::bind(listener_, reinterpret_cast<sockaddr*>(&address), length) != 0) return failed(errno);
  if (::listen(listener_, kBacklog) != 0) return failed(errno);
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  if (::getsockname(listener_, reinterpret_cast<sockaddr*>(&own), &size) != 0) return failed(errno);
  bound_ = SocketAddress::from(reinterpret_cast<sockaddr*>(&own), size);
  spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  accept_watch_ = loop_.watch(listener_, FdWatch::kReadable, [this](unsigned) { accept_some(); });
  tick_ = loop_.make_timer([this] { on_tick(); });
  return {};
}

void ServerCore::accept_some() {
  const auto self = shared_from_this();
  sockaddr_storage address{};
  socklen_t length = 0;
  const auto accept_one = [&] {
    length = sizeof address;
    return ::accept4(listener_, reinterpret_cast<sockaddr*>(&address), &length, SOCK_NONBLOCK | SOCK_CLOEXEC);
  };
  for (int i = 0; i < kAcceptShare && !stopping_; ++i) {
    int descriptor = accept_one();
    const bool none_left = descriptor < 0 && (errno == EMFILE || errno == ENFILE) && spare_ >= 0;
    if (none_left) {
      // The spare one shows whether a client waits at all.
      ::close(std::exchange(spare_, -1));
      descriptor = accept_one();
    }
    const auto peer = SocketAddress::from(reinterpret_cast<sockaddr*>(&address), length);
    if (descriptor >= 0 && has_share(counted_for(peer))) {
      ::close(descriptor);
    } else if (descriptor >= 0) {
      const bool room =
          (!none_left && http_.size() + sockets_.size() < options_.max_connections) || make_room();
      if (room) {
        accepted(descriptor, peer);
      } else {
        // Without an answer: what it came for is not known, and there are peers that never come back after a
        // 5xx.
        ++refused_full_;
        ::close(descriptor);
      }
    }
    const bool go_on = descriptor >= 0 || errno == ECONNABORTED || errno == EINTR;
    if (none_left) spare_ = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (!go_on) return;
  }
}

SocketAddress ServerCore::counted_for(const SocketAddress& peer) const {
  if (options_.max_connections_per_address == 0 || peer.is_loopback() ||
      options_.trusted_proxies.contains(peer))
    return {};
  return subscriber_of(peer);
}

bool ServerCore::has_share(const SocketAddress& subscriber) {
  if (subscriber.empty() || addresses_.of(subscriber) < options_.max_connections_per_address) return false;
  ++refused_address_;
  if (share_warnings_.allow())
    log::warn("{} has {} connections open, which is the most for one address; more are closed",
              subscriber.host(), options_.max_connections_per_address);
  return true;
}

void ServerCore::count(const SocketAddress& subscriber) {
  if (!subscriber.empty()) addresses_.add(subscriber);
}

bool ServerCore::make_room() {
  const auto then = loop_.now() - kPatience;
  auto oldest = std::find_if(http_.begin(), http_.end(),
                             [](const auto& connection) { return connection->awaits_head(); });
  if (oldest == http_.end())
    oldest = std::find_if(http_.begin(), http_.end(),
                          [&](const auto& connection) { return connection->drags(then); });
  if (oldest == http_.end()) return false;
  ++refused_full_;
  (*oldest)->close();
  return true;
}

void ServerCore::accepted(int descriptor, const SocketAddress& peer) {
  ++accepted_;
  const int on = 1;
  (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  const bool secure = options_.identity != nullptr;
  if (secure) descriptor = encrypt(descriptor, peer);
  if (descriptor < 0) return;
  http_.push_back(std::make_shared<HttpConnection>(shared_from_this(), descriptor, peer, secure));
  http_.back()->place = std::prev(http_.end());
  http_.back()->counted = counted_for(peer);
  count(http_.back()->counted);
  http_.back()->start();
  arm_tick();
}

int ServerCore::encrypt(int descriptor, const SocketAddress& peer) {
  int pair[2] = {-1, -1};
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) {
    log::warn("no TLS with {}: {}", peer.text(), errno_error("no socket pair", errno).message);
    ++refused_full_;
    ::close(descriptor);
    return -1;
  }
  if (tunnels_.size() >= options_.max_connections + kMaxLingering) {
    const auto first = std::find_if(tunnels_.begin(), tunnels_.end(),
                                    [](const auto& tunnel) { return tunnel->lingering(); });
    if (first != tunnels_.end()) tunnels_.erase(first);
  }
  (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
  const auto place = tunnels_.insert(tunnels_.end(), nullptr);
  *place = std::make_unique<tls::Tunnel>(loop_, *options_.identity->context(), descriptor, pair[0],
                                         options_.write_timeout, [this, place, peer] {
                                           if (const auto& why = (*place)->failure(); !why.empty()) {
                                             ++failed_handshakes_;
                                             log::debug("no TLS with {}: {}", peer.text(), why);
                                           }
                                           tunnels_.erase(place);
                                           check_drained();
                                         });
  (*place)->start();
  return pair[1];
}

void ServerCore::adopt(int descriptor, std::string_view key, std::string_view rest, UpgradeDecision decision,
                       const SocketAddress& peer, const SocketAddress& counted) {
  (void)::setsockopt(descriptor, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &kUnsentBytes, sizeof kUnsentBytes);
  sockets_.push_back(std::make_shared<ServerWebSocket>(shared_from_this(), std::move(decision), peer));
  auto socket = sockets_.back();
  socket->place = std::prev(sockets_.end());
  socket->counted = counted;
  count(socket->counted);
  // libwebsockets is given the least it needs for its handshake; our own head has been checked and answered.
  auto head = fmt::format(
      "GET / HTTP/1.1\r\nHost: aiot\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {}\r\n\r\n",
      key);
  head += rest;
  const std::weak_ptr<ServerWebSocket> known = socket;
  auto* raw = socket.get();
  socket.reset();
  const auto* wsi = lws_->adopt(descriptor, head, *raw);
  if (auto left = known.lock()) {
    if (wsi == nullptr && !left->has_socket()) {
      remove(*left);
    } else if (stopping_) {
      left->close(1001, kShuttingDown);
    }
  }
  if (!rest.empty()) lws_->wake();
  arm_tick();
}

void ServerCore::remove(HttpConnection& connection) {
  if (connection.place == std::list<std::shared_ptr<HttpConnection>>::iterator{}) return;
  const auto place = std::exchange(connection.place, {});
  addresses_.remove(connection.counted);
  http_.erase(place);
  check_drained();
}

void ServerCore::remove(ServerWebSocket& socket) {
  if (socket.place == std::list<std::shared_ptr<ServerWebSocket>>::iterator{}) return;
  if (socket.ready) {
    std::replace(ready_.begin(), ready_.end(), &socket, static_cast<ServerWebSocket*>(nullptr));
    std::replace(flushing_.begin(), flushing_.end(), &socket, static_cast<ServerWebSocket*>(nullptr));
  }
  const auto place = std::exchange(socket.place, {});
  addresses_.remove(socket.counted);
  sockets_.erase(place);
  check_drained();
}

void ServerCore::mark_ready(ServerWebSocket& socket) {
  if (std::exchange(socket.ready, true)) return;
  ready_.push_back(&socket);
  if (std::exchange(flush_posted_, true)) return;
  loop_.post([weak = weak_from_this()] {
    if (auto self = weak.lock()) self->flush_ready();
  });
}

void ServerCore::flush_ready() {
  flush_posted_ = false;
  flushing_.swap(ready_);
  const auto until = loop_.now() + kFlushShare;
  std::size_t at = 0;
  for (; at < flushing_.size(); ++at) {
    auto* socket = flushing_[at];
    if (socket == nullptr) continue;
    if (at % 8 == 7 && loop_.now() >= until) break;
    socket->ready = false;
    socket->flush();
  }
  // Those not reached come first on the next turn.
  if (at < flushing_.size()) {
    ready_.insert(ready_.begin(), flushing_.begin() + static_cast<std::ptrdiff_t>(at), flushing_.end());
    if (!std::exchange(flush_posted_, true)) {
      loop_.post([weak = weak_from_this()] {
        if (auto self = weak.lock()) self->flush_ready();
      });
    }
  }
  flushing_.clear();
}

void ServerCore::arm_tick() {
  if (tick_ && !tick_->armed()) tick_->start(tick_interval_);
}

void ServerCore::on_tick() {
  const auto self = shared_from_this();
  const auto now = loop_.now();
  for (auto at = http_.begin(); at != http_.end();) {
    auto& connection = **at++;
    connection.check_deadline(now);
  }
  for (auto at = sockets_.begin(); at != sockets_.end();) {
    auto& socket = **at++;
    socket.check_deadline(now);
  }
  if (!http_.empty() || !sockets_.empty()) arm_tick();
}

HttpServerCounters ServerCore::counters() const {
  HttpServerCounters counters;
  counters.connections = http_.size() + sockets_.size();
  counters.accepted = accepted_;
  counters.refused_heads = refused_heads_;
  counters.refused_full = refused_full_;
  counters.failed_handshakes = failed_handshakes_;
  counters.refused_address = refused_address_;
  return counters;
}

void ServerCore::shut_down(Duration deadline, Completion<> done) {
  drained_ = std::move(done);
  if (!std::exchange(stopping_, true)) {
    accept_watch_.reset();
    if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  }
  for (auto at = http_.begin(); at != http_.end();) {
    auto& connection = **at++;
    connection.wind_down();
  }
  for (auto& socket : sockets_) socket->close(1001, kShuttingDown);
  drain_timer_ = loop_.make_timer([this] {
    const auto self = shared_from_this();
    for (auto at = http_.begin(); at != http_.end();) {
      auto& connection = **at++;
      connection.close();
    }
    for (auto& socket : sockets_) socket->abort();
    tunnels_.clear();
  });
  drain_timer_->start(deadline);
  check_drained();
}

void ServerCore::check_drained() {
  if (!drained_ || drain_posted_ || !http_.empty() || !sockets_.empty() || !tunnels_.empty()) return;
  drain_posted_ = true;
  loop_.post([weak = weak_from_this()] {
    if (auto self = weak.lock()) {
      self->drain_posted_ = false;
      // A connection that became a WebSocket in between ends first.
      if (!self->http_.empty() || !self->sockets_.empty() || !self->tunnels_.empty()) return;
      self->drain_timer_.reset();
      if (self->drained_) self->drained_(Result<>{});
    }
  });
}

void ServerCore::stop() {
  const auto self = shared_from_this();
  stopping_ = true;
  drained_.dismiss();
  accept_watch_.reset();
  drain_timer_.reset();
  tick_.reset();
  if (listener_ >= 0) ::close(std::exchange(listener_, -1));
  while (!http_.empty()) http_.front()->close();
  tunnels_.clear();
  ready_.clear();
  flushing_.clear();
  auto sockets = std::exchange(sockets_, {});
  for (auto& socket : sockets) {
    socket->place = {};
    socket->drop();
  }
  on_request_ = nullptr;
  on_upgrade_ = nullptr;
  on_refusal_ = nullptr;
}

}  // namespace aiot::ws
