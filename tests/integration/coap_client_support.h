#pragma once

#include <arpa/inet.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "core/coap/coap_client.h"
#include "core/coap/message.h"
#include "core/coap/pdu.h"
#include "support/test_loop.h"

/// What the tests of the CoAP client share: a loop that is run until something is true, and peers.
namespace aiot::test {

using namespace std::chrono_literals;

/// A real loop with a client on it. The client goes first at the end; the loop then checks that nothing is
/// left.
class Bench : public TestLoop {
 public:
  explicit Bench(const coap::ClientLimits& limits = {}) : client_(coap::CoapClient::make(loop(), limits)) {}

  [[nodiscard]] coap::CoapClient& client() { return *client_; }
  void drop_client() { client_.reset(); }

  Result<Response> ask(Request request) {
    std::optional<Result<Response>> answer;
    auto operation =
        client_->request(std::move(request), [&](Result<Response> result) { answer = std::move(result); });
    REQUIRE_FALSE(answer.has_value());
    if (!run_until([&] { return answer.has_value(); }, 30s))
      return make_error(Errc::internal, "the test hung");
    return std::move(*answer);
  }

 private:
  std::unique_ptr<coap::CoapClient> client_;
};

inline Request make_request(const std::string& uri, Method method = Method::get, std::string payload = {}) {
  Request request;
  auto parsed = parse_uri(uri);
  REQUIRE(parsed);
  request.uri = *parsed;
  request.method = method;
  request.payload = std::move(payload);
  request.timeout = 5s;
  return request;
}

/// A UDP socket on loopback that nobody reads; its port.
class UdpSocket {
 public:
  explicit UdpSocket(int family = AF_INET, std::uint16_t port = 0)
      : fd_(socket(family, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)) {
    REQUIRE(fd_ >= 0);
    auto at = SocketAddress::parse(family == AF_INET ? "127.0.0.1:0" : "[::1]:0");
    sockaddr_storage storage{};
    auto size = at->with_port(port).to(storage);
    REQUIRE(bind(fd_, reinterpret_cast<sockaddr*>(&storage), size) == 0);
    size = sizeof storage;
    REQUIRE(getsockname(fd_, reinterpret_cast<sockaddr*>(&storage), &size) == 0);
    address_ = SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), size);
  }
  UdpSocket(const UdpSocket&) = delete;
  UdpSocket& operator=(const UdpSocket&) = delete;
  ~UdpSocket() { ::close(fd_); }
  [[nodiscard]] int fd() const { return fd_; }
  [[nodiscard]] const SocketAddress& address() const { return address_; }
  [[nodiscard]] std::string uri(const std::string& path = "/x") const {
    return "coap://" + address_.text() + path;
  }

 private:
  int fd_;
  SocketAddress address_;
};

/// A port that was free a moment ago for UDP and for TCP, and where nobody listens.
inline std::uint16_t free_port() {
  for (;;) {
    const UdpSocket udp;
    sockaddr_storage storage{};
    const auto size = udp.address().to(storage);
    const int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const bool free = bind(tcp, reinterpret_cast<sockaddr*>(&storage), size) == 0;
    ::close(tcp);
    if (free) return udp.address().port();
  }
}

/// What an operation failed with, for a test's report.
template <class T>
std::string why(const Result<T>& result) {
  return result ? "" : result.error().message;
}

/// A CoAP peer made by hand: every datagram goes to the handler, which sends what it likes.
class UdpPeer {
 public:
  using Handler = UniqueFunction<void(const coap::Message&)>;
  UdpPeer(EventLoop& loop, Handler handler, int family = AF_INET, std::uint16_t port = 0)
      : socket_(family, port), handler_(std::move(handler)) {
    watch_ = loop.watch(socket_.fd(), FdWatch::kReadable, [this](unsigned) { read(); });
  }
  [[nodiscard]] std::string uri(const std::string& path = "/x") const { return socket_.uri(path); }
  [[nodiscard]] std::uint16_t port() const { return socket_.address().port(); }

  void send(const coap::Message& message) { send_raw(coap::format_message(message)); }
  void send_raw(const std::string& datagram) {
    (void)sendto(socket_.fd(), datagram.data(), datagram.size(), 0, reinterpret_cast<const sockaddr*>(&from_),
                 from_size_);
  }
  /// The piggybacked response to `request`.
  static coap::Message answer(const coap::Message& request, std::uint8_t code, std::string payload = {}) {
    coap::Message message;
    message.type = request.type == coap::Type::con ? coap::Type::ack : coap::Type::non;
    message.code = code;
    message.message_id =
        request.type == coap::Type::con ? request.message_id : std::uint16_t(request.message_id + 1);
    message.token = request.token;
    message.payload = std::move(payload);
    return message;
  }
  /// Who spoke last, to speak to it later.
  [[nodiscard]] SocketAddress from() const {
    return SocketAddress::from(reinterpret_cast<const sockaddr*>(&from_), from_size_);
  }
  std::vector<coap::Message> heard;

 private:
  void read() {
    std::array<char, 65536> buffer;
    for (;;) {
      from_size_ = sizeof from_;
      const auto size = recvfrom(socket_.fd(), buffer.data(), buffer.size(), 0,
                                 reinterpret_cast<sockaddr*>(&from_), &from_size_);
      if (size < 0) return;
      auto message = coap::parse_message({buffer.data(), static_cast<std::size_t>(size)});
      if (!message) continue;
      heard.push_back(*message);
      if (handler_) handler_(*message);
    }
  }
  UdpSocket socket_;
  Handler handler_;
  sockaddr_storage from_{};
  socklen_t from_size_ = 0;
  std::unique_ptr<FdWatch> watch_;
};

/// Debian's coap-server-notls on a port of its own, over UDP and TCP.
class CoapServerProcess {
 public:
  explicit CoapServerProcess(std::vector<std::string> more = {}, std::string address = "127.0.0.1")
      : port_(free_port()), address_(std::move(address)), more_(std::move(more)) {
    start();
  }
  CoapServerProcess(const CoapServerProcess&) = delete;
  CoapServerProcess& operator=(const CoapServerProcess&) = delete;
  ~CoapServerProcess() { kill(); }

  void start() {
    std::vector<std::string> arguments = {"coap-server-notls",  "-v", "0", "-A", address_, "-p",
                                          std::to_string(port_)};
    arguments.insert(arguments.end(), more_.begin(), more_.end());
    std::vector<char*> raw;
    for (auto& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    posix_spawn_file_actions_t actions;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
    REQUIRE(posix_spawnp(&pid_, raw[0], &actions, nullptr, raw.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&actions);
    REQUIRE(answers_ping());
  }
  void kill() {
    if (pid_ <= 0) return;
    const pid_t pid = std::exchange(pid_, 0);
    ::kill(pid, SIGKILL);
    waitpid(pid, nullptr, 0);
  }
  [[nodiscard]] std::string uri(const std::string& path) const {
    return "coap://127.0.0.1:" + std::to_string(port_) + path;
  }
  [[nodiscard]] std::string tcp_uri(const std::string& path) const {
    return "coap+tcp://127.0.0.1:" + std::to_string(port_) + path;
  }

 private:
  /// A CoAP ping is answered with a reset as soon as the server is up.
  [[nodiscard]] bool answers_ping() const {
    UdpSocket socket;
    auto to = SocketAddress::parse("127.0.0.1:" + std::to_string(port_));
    sockaddr_storage storage{};
    const auto size = to->to(storage);
    const std::string ping("\x40\x00\x12\x34", 4);
    for (int i = 0; i < 250; ++i) {
      (void)sendto(socket.fd(), ping.data(), ping.size(), 0, reinterpret_cast<sockaddr*>(&storage), size);
      pollfd ready{socket.fd(), POLLIN, 0};
      if (poll(&ready, 1, 20) > 0) return true;
    }
    return false;
  }
  std::uint16_t port_;
  std::string address_;
  std::vector<std::string> more_;
  pid_t pid_ = 0;
};

/// Everything an observation tells.
struct Heard {
  std::vector<Response> values;
  std::vector<StreamEvent> events;
  std::optional<Error> failed;

  [[nodiscard]] UniqueFunction<void(Client::Notification)> next() {
    return [this](Client::Notification notification) {
      if (auto* value = std::get_if<Response>(&notification)) values.push_back(std::move(*value));
      if (auto* event = std::get_if<StreamEvent>(&notification)) events.push_back(std::move(*event));
    };
  }
  [[nodiscard]] Completion<> done() {
    return [this](Result<> result) {
      if (!result) failed = result.error();
    };
  }
  [[nodiscard]] std::string text() const {
    std::string out;
    for (const auto& value : values) out += value.payload + "\n";
    for (const auto& event : events) out += std::string(to_string(event.kind)) + ": " + event.reason + "\n";
    return out + (failed ? failed->message : "");
  }
  [[nodiscard]] bool has(StreamEvent::Kind kind) const {
    for (const auto& event : events) {
      if (event.kind == kind) return true;
    }
    return false;
  }
};

}  // namespace aiot::test
