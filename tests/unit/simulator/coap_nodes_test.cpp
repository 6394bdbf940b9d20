#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>
#include <catch2/catch.hpp>

#include <array>
#include <map>
#include <set>

#include "core/coap/message.h"
#include "core/loop/event_loop.h"
#include "daemon/simulator/simulator.h"

using namespace aiot;
using namespace std::chrono_literals;

namespace {

/// What a gateway is to a node: it answers posts, and can ask.
class FakeGateway {
 public:
  explicit FakeGateway(EventLoop& loop) {
    fd_ = ::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    sockaddr_in in{};
    in.sin_family = AF_INET;
    in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&in), sizeof in) == 0);
    socklen_t length = sizeof in;
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&in), &length);
    address_ = SocketAddress::from(reinterpret_cast<sockaddr*>(&in), length);
    watch_ = loop.watch(fd_, FdWatch::kReadable, [this](unsigned) { receive(); });
  }
  ~FakeGateway() {
    watch_.reset();
    ::close(fd_);
  }

  void send(const SocketAddress& to, const coap::Message& message) {
    const auto datagram = coap::format_message(message);
    sockaddr_storage storage{};
    const auto length = to.to(storage);
    ::sendto(fd_, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&storage), length);
  }

  SocketAddress address_;
  std::map<std::string, SocketAddress> alives_;
  std::vector<std::string> alive_payloads_;
  std::vector<std::string> posts_;
  std::vector<std::uint16_t> post_ids_;
  std::vector<coap::Message> answers_;
  bool silent_ = false;
  std::size_t most_waiting_ = 0;
  std::function<void()> changed_ = [] {};

 private:
  void receive() {
    std::array<char, 2048> buffer;
    sockaddr_storage storage{};
    socklen_t length = sizeof storage;
    std::size_t waiting = 0;
    for (;;) {
      length = sizeof storage;
      const auto size =
          ::recvfrom(fd_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&storage), &length);
      if (size < 0) break;
      ++waiting;
      const auto peer = SocketAddress::from(reinterpret_cast<sockaddr*>(&storage), length);
      auto message = coap::parse_message({buffer.data(), static_cast<std::size_t>(size)});
      REQUIRE(message);
      take(peer, *message);
    }
    most_waiting_ = std::max(most_waiting_, waiting);
    changed_();
  }

  void take(const SocketAddress& peer, const coap::Message& message) {
    if (message.code >> 5 != 0) {
      answers_.push_back(message);
      return;
    }
    const auto path = message.string_options(coap::option::kUriPath);
    REQUIRE(path.size() == 1);
    if (path[0] == "alive") {
      alives_.emplace(message.payload, peer);
      alive_payloads_.push_back(message.payload);
    } else {
      posts_.push_back(message.payload);
      post_ids_.push_back(message.message_id);
    }
    if (silent_) return;
    coap::Message answer;
    answer.type = message.type == coap::Type::con ? coap::Type::ack : coap::Type::non;
    answer.code = coap::code(2, 4);
    answer.message_id = message.message_id;
    answer.token = message.token;
    send(peer, answer);
  }

  int fd_ = -1;
  std::unique_ptr<FdWatch> watch_;
};

struct Bench {
  Bench() : loop(make_uv_loop()), gateway(*loop) {
    deadline = loop->make_timer([this] {
      timed_out = true;
      loop->stop();
    });
  }
  /// Runs until `done` holds; fails the test after ten seconds.
  void run_until(std::function<bool()> done) {
    gateway.changed_ = [this, done] {
      if (done()) loop->stop();
    };
    deadline->start(10s);
    loop->run();
    deadline->stop();
    gateway.changed_ = [] {};
    REQUIRE_FALSE(timed_out);
  }
  simulator::CoapOptions options() const {
    simulator::CoapOptions options;
    options.gateway = gateway.address_;
    options.interval = 20ms;
    return options;
  }

  std::unique_ptr<EventLoop> loop;
  FakeGateway gateway;
  std::unique_ptr<Timer> deadline;
  bool timed_out = false;
};

}  // namespace

TEST_CASE("Simulated nodes join from addresses of their own and post their values") {
  Bench bench;
  auto options = bench.options();
  options.nodes = 3;
  options.first = 5;
  auto nodes = simulator::CoapNodes::make(*bench.loop, options);
  REQUIRE(nodes->start());
  bench.run_until([&] { return bench.gateway.posts_.size() >= 9; });
  REQUIRE(bench.gateway.alives_.size() == 3);
  CHECK(bench.gateway.alives_.at("alive:sim-5").text() == "127.1.0.1:5683");
  CHECK(bench.gateway.alives_.at("alive:sim-7").text() == "127.1.0.3:5683");
  CHECK(nodes->counters().joined == 3);
  CHECK(nodes->counters().posts_sent >= 9);
}

TEST_CASE("A simulated node answers at its own CoAP port and its led can be switched") {
  Bench bench;
  auto options = bench.options();
  options.interval = 0s;
  auto nodes = simulator::CoapNodes::make(*bench.loop, options);
  REQUIRE(nodes->start());
  bench.run_until([&] { return bench.gateway.alives_.size() == 1; });
  coap::Message put;
  put.code = coap::code(0, 3);
  put.message_id = 9;
  put.token = "t";
  put.add(coap::option::kUriPath, "led");
  put.payload = "1";
  bench.gateway.send(bench.gateway.alives_.begin()->second, put);
  bench.run_until([&] { return bench.gateway.answers_.size() == 1; });
  CHECK(bench.gateway.answers_[0].code == coap::code(2, 4));
  CHECK(nodes->counters().writes == 1);
  CHECK(nodes->counters().posts_sent == 0);
}

TEST_CASE("A thousand nodes join without flooding the gateway's socket") {
  Bench bench;
  auto options = bench.options();
  options.nodes = 1000;
  options.interval = 0s;
  auto nodes = simulator::CoapNodes::make(*bench.loop, options);
  REQUIRE(nodes->start());
  bench.run_until([&] { return bench.gateway.alives_.size() == 1000; });
  CHECK(bench.gateway.alive_payloads_.size() == 1000);
  CHECK(bench.gateway.most_waiting_ <= 256);
}

TEST_CASE("A node whose alive is not answered says it again, and reset only when told so") {
  Bench bench;
  bench.gateway.silent_ = true;
  auto options = bench.options();
  options.boot_reset = true;
  auto nodes = simulator::CoapNodes::make(*bench.loop, options);
  REQUIRE(nodes->start());
  bench.run_until([&] { return bench.gateway.alive_payloads_.size() == 2; });
  CHECK(bench.gateway.alive_payloads_[1] == "reset:sim-0");
  CHECK(nodes->counters().joined == 0);
  bench.gateway.silent_ = false;
  bench.run_until([&] { return !bench.gateway.posts_.empty(); });
  CHECK(nodes->counters().joined == 1);
}

TEST_CASE("An unacknowledged confirmable post is sent again with its message id") {
  Bench bench;
  auto options = bench.options();
  options.confirmable = true;
  auto nodes = simulator::CoapNodes::make(*bench.loop, options);
  REQUIRE(nodes->start());
  bench.run_until([&] { return bench.gateway.posts_.size() == 1; });
  bench.gateway.silent_ = true;
  bench.run_until([&] { return nodes->counters().retransmissions == 1; });
  const auto& ids = bench.gateway.post_ids_;
  REQUIRE(ids.size() >= 2);
  CHECK(ids[ids.size() - 1] == ids[ids.size() - 2]);
  CHECK(nodes->counters().posts_skipped > 0);
}

TEST_CASE("A second simulation at the same addresses is refused") {
  Bench bench;
  auto options = bench.options();
  options.nodes = 4;
  auto first = simulator::CoapNodes::make(*bench.loop, options);
  REQUIRE(first->start());
  options.base_address = "127.1.0.3";
  auto second = simulator::CoapNodes::make(*bench.loop, options);
  const auto refused = second->start();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == Errc::unreachable);
  CHECK(refused.error().message.find("127.1.0.3:5683 is in use") != std::string::npos);
}

TEST_CASE("An address that is not this machine's and a wrong family are clear errors") {
  Bench bench;
  auto options = bench.options();
  options.base_address = "192.0.2.1";
  auto nodes = simulator::CoapNodes::make(*bench.loop, options);
  const auto unbound = nodes->start();
  REQUIRE_FALSE(unbound);
  CHECK(unbound.error().message.find("192.0.2.1:5683") != std::string::npos);
  options.base_address = "::1";
  nodes = simulator::CoapNodes::make(*bench.loop, options);
  const auto mixed = nodes->start();
  REQUIRE_FALSE(mixed);
  CHECK(mixed.error().code == Errc::usage);
  options.nodes = 0;
  nodes = simulator::CoapNodes::make(*bench.loop, options);
  CHECK_FALSE(nodes->start());
}
