#pragma once

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <chrono>
#include <future>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "core/coap/block.h"
#include "core/coap/coap_server.h"
#include "core/coap/message.h"
#include "core/loop/event_loop.h"

/// A CoAP server on a loop in a thread of its own, and hand-made peers that talk to it with plain sockets.
namespace aiot::coap {

class ServerThread {
 public:
  explicit ServerThread(ServerOptions options, CoapServer::Handler handler) {
    start();
    run([&](EventLoop& loop) {
      auto made = CoapServer::listen(loop, std::move(options), std::move(handler));
      if (made) server = std::move(*made);
      if (!made) error = made.error().message;
    });
    INFO(error);
    REQUIRE(server != nullptr);
    bound = server->bound();
  }
  ~ServerThread() {
    run([&](EventLoop& loop) {
      server.reset();
      loop.stop();
    });
    thread_.join();
  }

  /// Runs `job` on the loop's thread and waits for it.
  template <class F>
  void run(F job) {
    std::promise<void> done;
    loop_->post_from_thread([&] {
      job(*loop_);
      done.set_value();
    });
    done.get_future().wait();
  }
  ServerCounters counters() {
    ServerCounters out;
    run([&](EventLoop&) { out = server->counters(); });
    return out;
  }

  std::unique_ptr<CoapServer> server;  ///< belongs to the loop's thread
  std::vector<SocketAddress> bound;
  std::string error;

 private:
  void start() {
    std::promise<void> ready;
    thread_ = std::thread([this, &ready] {
      auto loop = make_uv_loop();
      loop_ = loop.get();
      loop->post([&ready] { ready.set_value(); });
      loop->run();
    });
    ready.get_future().wait();
  }

  EventLoop* loop_ = nullptr;
  std::thread thread_;
};

class UdpPeer {
 public:
  explicit UdpPeer(const SocketAddress& server, const std::string& source = {}) {
    sockaddr_storage storage{};
    fd_ = ::socket(server.family(), SOCK_DGRAM, 0);
    if (!source.empty()) {
      const auto size = SocketAddress::parse(source + ":0")->to(storage);
      REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&storage), size) == 0);
    }
    const auto size = server.to(storage);
    REQUIRE(::connect(fd_, reinterpret_cast<sockaddr*>(&storage), size) == 0);
  }
  ~UdpPeer() { ::close(fd_); }
  UdpPeer(const UdpPeer&) = delete;
  UdpPeer& operator=(const UdpPeer&) = delete;

  void send(const std::string& datagram) {
    REQUIRE(::send(fd_, datagram.data(), datagram.size(), 0) == static_cast<ssize_t>(datagram.size()));
  }
  void send(const Message& message) { send(format_message(message)); }

  /// The next message, or none within `wait`. Pings are answered on the way, unless the peer is `mute`.
  std::optional<Message> receive(std::chrono::milliseconds wait = std::chrono::seconds(10)) {
    timeval limit{wait.count() / 1000, static_cast<suseconds_t>(wait.count() % 1000 * 1000)};
    ::setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    for (;;) {
      char buffer[2048];
      const auto size = ::recv(fd_, buffer, sizeof buffer, 0);
      if (size < 0) return std::nullopt;
      received += static_cast<std::size_t>(size);
      auto parsed = parse_message({buffer, static_cast<std::size_t>(size)});
      REQUIRE(parsed);
      if (parsed->code != 0 || parsed->type != Type::con) return std::move(*parsed);
      ++pings;
      if (mute) continue;
      Message pong;
      pong.type = Type::rst;
      pong.message_id = parsed->message_id;
      send(pong);
    }
  }
  Message exchange(const Message& message) {
    send(message);
    auto answer = receive();
    REQUIRE(answer);
    return std::move(*answer);
  }
  [[nodiscard]] int fd() const { return fd_; }

  bool mute = false;
  std::size_t received = 0;  ///< bytes
  int pings = 0;

 private:
  int fd_ = -1;
};

inline Message request(Type type, std::uint8_t code, std::uint16_t id, const std::string& path,
                       std::string payload = {}, std::string token = "tk") {
  Message out;
  out.type = type;
  out.code = code;
  out.message_id = id;
  out.token = std::move(token);
  std::size_t at = 0;
  while (at < path.size()) {
    const auto slash = std::min(path.find('/', at), path.size());
    out.add(option::kUriPath, path.substr(at, slash - at));
    at = slash + 1;
  }
  out.payload = std::move(payload);
  return out;
}

inline constexpr std::uint8_t kGet = 1, kPost = 2, kPut = 3;

}  // namespace aiot::coap
