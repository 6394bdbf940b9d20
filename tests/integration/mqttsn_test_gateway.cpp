// An MQTT-SN gateway for tests, with neither broker nor nodes: mqttsn_test_gateway ADDRESS:PORT. It routes
// between its clients and keeps retained messages. On stdout it says where it listens, then each message, and
// on SIGTERM its counters, each a JSON object a line. A line "TOPIC<TAB>PAYLOAD<TAB>QOS" on stdin is
// published.
#include <fmt/format.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <map>

#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "core/loop/udp_socket.h"
#include "core/mqttsn/gateway_core.h"

using namespace aiot;
using namespace aiot::mqttsn;

namespace {

void say(const std::string& line) {
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

class Gateway final : private GatewayEffects {
 public:
  explicit Gateway(EventLoop& loop) : loop_(loop) {
    timer_ = loop.make_timer([this] { tick(); });
  }
  bool listen(const char* where) {
    const auto address = SocketAddress::parse(where);
    if (!address) return false;
    auto socket =
        UdpSocket::bind(loop_, *address, [this](const SocketAddress& from, std::string_view datagram) {
          core_.received(from, datagram, loop_.now());
          tick();
        });
    if (!socket) {
      std::fprintf(stderr, "%s\n", socket.error().message.c_str());
      return false;
    }
    socket_ = std::move(*socket);
    (void)socket_->join(*SocketAddress::parse("225.1.1.1:1885"), {});
    (void)socket_->join(*SocketAddress::parse("[ff02::1]:1885"), {});
    input_ = loop_.watch(STDIN_FILENO, FdWatch::kReadable, [this](unsigned) { read(); });
    say(fmt::format(R"({{"event":"ready","port":{}}})", socket_->bound().port()));
    return true;
  }
  void report() {
    const auto counters = core_.counters();
    say(fmt::format(R"({{"event":"counters","sessions":{},"connected":{},"published":{}}})",
                    counters.sessions, counters.connected, counters.published));
  }

 private:
  void read() {
    char buffer[4096];
    const auto count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count <= 0) {
      input_.reset();
      return;
    }
    typed_.append(buffer, static_cast<std::size_t>(count));
    for (auto end = typed_.find('\n'); end != std::string::npos; end = typed_.find('\n')) {
      const auto parts = text::split(std::string_view(typed_).substr(0, end), '\t');
      if (parts.size() == 3)
        route({std::string(parts[0]), std::string(parts[1]), std::stoi(std::string(parts[2])), false});
      typed_.erase(0, end + 1);
    }
  }
  void tick() {
    const auto now = loop_.now();
    timer_->start(core_.tick(now) - now);
  }
  void route(const Message& message) {
    if (message.retain) {
      retained_.erase(message.topic);
      if (!message.payload.empty()) retained_[message.topic] = message;
    }
    core_.deliver(message, loop_.now());
    tick();
  }

  void send(const Peer& to, std::string datagram) override { socket_->send(to.address, std::move(datagram)); }
  void publish(Ticket ticket, const std::string& client, Message message) override {
    say(fmt::format(R"({{"client":{},"topic":{},"payload":{},"qos":{},"retain":{}}})",
                    text::json_string(client), text::json_string(message.topic),
                    text::json_string(message.payload), message.qos, message.retain));
    loop_.post([this, ticket, message = std::move(message)] {
      if (ticket != 0) core_.stored(ticket, true);
      route(message);
    });
  }
  void subscribe(const std::string&) override {}
  void unsubscribe(const std::string&) override {}
  void wants_retained(const std::string& client, const std::string& filter, int qos) override {
    SubscriptionTree<const int> wanted;
    wanted.add(filter, &qos, qos);
    for (const auto& [topic, message] : retained_) {
      wanted.match(topic, [&, kept = message](const int&, int) {
        loop_.post([this, client, kept] { core_.deliver_to(client, kept, loop_.now()); });
      });
    }
  }
  void changed(const Session&, SessionChange) override {}

  EventLoop& loop_;
  std::unique_ptr<Timer> timer_;
  std::unique_ptr<UdpSocket> socket_;
  std::unique_ptr<FdWatch> input_;
  std::string typed_;
  std::map<std::string, Message> retained_;
  GatewayCore core_{{.gateway_id = 7, .retry_after = std::chrono::milliseconds(300), .retries = 20}, *this};
};

}  // namespace

int main(int argc, char** argv) {
  const auto loop = make_uv_loop();
  Gateway gateway(*loop);
  if (argc != 2 || !gateway.listen(argv[1])) return 1;
  const auto ends = loop->watch_signal(SIGTERM, [&] { loop->stop(); });
  loop->run();
  gateway.report();
  return 0;
}
