// What a fan-out costs this machine without any broker: each message of a connection to /gw is written to
// every other connection, one write a message. It speaks as much WebSocket as the clients of bench/ need to
// be the same.

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <map>
#include <memory>

#include "ws_peer.h"

namespace {

struct Connection {
  int fd = -1;
  bool open = false;    // its head has come
  bool source = false;  // of messages
  bench::FrameReader reader{16 * 1024};
  std::string pending;
};

void write_some(Connection& connection, int epoll, std::string_view bytes) {
  if (connection.pending.empty()) {
    const auto size = ::send(connection.fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (size > 0) bytes.remove_prefix(static_cast<std::size_t>(size));
    if (bytes.empty()) return;
  }
  connection.pending += bytes;
  epoll_event event{EPOLLIN | EPOLLOUT, {}};
  event.data.fd = connection.fd;
  ::epoll_ctl(epoll, EPOLL_CTL_MOD, connection.fd, &event);
}

void flush(Connection& connection, int epoll) {
  const auto size = ::send(connection.fd, connection.pending.data(), connection.pending.size(), MSG_NOSIGNAL);
  if (size > 0) connection.pending.erase(0, static_cast<std::size_t>(size));
  if (!connection.pending.empty()) return;
  epoll_event event{EPOLLIN, {}};
  event.data.fd = connection.fd;
  ::epoll_ctl(epoll, EPOLL_CTL_MOD, connection.fd, &event);
}

}  // namespace

int main(int argc, char** argv) {
  const bench::Options options(argc, argv, {{"port", "8000"}});
  bench::raise_descriptor_limit();
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<std::uint16_t>(options.count("port")));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(listener, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) bench::die_errno("bind");
  ::listen(listener, 4096);
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  epoll_event event{EPOLLIN, {}};
  event.data.fd = listener;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::fprintf(stderr, "ready\n");

  std::map<int, std::unique_ptr<Connection>> connections;
  std::vector<Connection*> sinks;
  for (;;) {
    std::array<epoll_event, 256> events;
    const int ready = ::epoll_wait(epoll, events.data(), events.size(), -1);
    for (int i = 0; i < ready; ++i) {
      const auto fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) continue;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        auto connection = std::make_unique<Connection>();
        connection->fd = accepted;
        event.events = EPOLLIN;
        event.data.fd = accepted;
        ::epoll_ctl(epoll, EPOLL_CTL_ADD, accepted, &event);
        connections[accepted] = std::move(connection);
        continue;
      }
      const auto found = connections.find(fd);
      if (found == connections.end()) continue;
      auto& connection = *found->second;
      if ((events[static_cast<std::size_t>(i)].events & EPOLLOUT) != 0) flush(connection, epoll);
      if ((events[static_cast<std::size_t>(i)].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0) continue;
      auto* space = connection.reader.space();
      const auto size = ::recv(fd, space, connection.reader.room(), 0);
      if (size == 0 || (size < 0 && errno != EAGAIN)) {
        ::close(fd);
        sinks.erase(std::remove(sinks.begin(), sinks.end(), &connection), sinks.end());
        connections.erase(found);
        continue;
      }
      if (size < 0) continue;
      connection.reader.filled(static_cast<std::size_t>(size));
      if (!connection.open) {
        const auto head = connection.reader.take_head();
        if (head.empty()) continue;
        connection.open = true;
        connection.source = head.find(" /gw") != std::string::npos;
        if (!connection.source) sinks.push_back(&connection);
        write_some(connection, epoll,
                   "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n");
      }
      connection.reader.frames([&](int opcode, std::string_view payload) {
        if (!connection.source || opcode != 1) return;
        std::string frame;
        frame += static_cast<char>(0x81);
        if (payload.size() < 126) {
          frame += static_cast<char>(payload.size());
        } else {
          frame += static_cast<char>(126);
          frame += static_cast<char>(payload.size() >> 8);
          frame += static_cast<char>(payload.size() & 0xFF);
        }
        frame += payload;
        for (auto* sink : sinks) write_some(*sink, epoll, frame);
      });
    }
  }
}
