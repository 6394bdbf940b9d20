// A server on core/ws for tests written in JavaScript: they are its peers and know nothing of this code.
// It prints its port, takes commands as lines on standard input and answers them with a line of JSON.

#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <string>

#include "core/base/log.h"
#include "core/loop/event_loop.h"
#include "core/tls/identity.h"
#include "core/ws/http_server.h"

namespace {

using namespace aiot;

/// Never runs dry: what a client that does not read is sent.
class Flood final : public ws::FrameSource {
 public:
  explicit Flood(std::size_t payload) {
    while (chunk_.size() < 60 * 1024) ws::append_text_frame(chunk_, std::string(payload, 'f'));
  }
  std::string_view peek() override { return chunk_; }
  void consume(std::size_t bytes) override { sent += bytes; }
  std::size_t sent = 0;

 private:
  std::string chunk_;
};

struct World {
  EventLoop* loop = nullptr;
  std::unique_ptr<ws::HttpServer> server;
  std::map<std::string, std::string> last_close;
  int open_sessions = 0;
  std::unique_ptr<Timer> slow_timer;
  std::set<ws::WsConnection*> echoes;
};

class EchoSession final : public ws::WsSession {
 public:
  EchoSession(World& world, bool flood)
      : world_(world), flood_(flood ? std::make_unique<Flood>(100) : nullptr) {}
  void opened(ws::WsConnection& connection) override {
    ++world_.open_sessions;
    connection_ = &connection;
    world_.echoes.insert(&connection);
    if (flood_) {
      connection.set_source(flood_.get());
      connection.wake();
    }
  }
  void received(std::string_view message, bool binary) override {
    if (binary) return connection_->close(1003, "text only");
    if (message == "close") return connection_->close(4001, "as you like");
    if (message == "abort") return connection_->abort();
    if (message == "pause") {
      connection_->pause_reading(true);
      timer_ = world_.loop->make_timer([this] { connection_->pause_reading(false); });
      timer_->start(std::chrono::milliseconds(100));
      return;
    }
    connection_->send_text(message);
  }
  void closed() override {
    --world_.open_sessions;
    world_.echoes.erase(connection_);
  }

 private:
  World& world_;
  std::unique_ptr<Flood> flood_;
  ws::WsConnection* connection_ = nullptr;
  std::unique_ptr<Timer> timer_;
};

void answer(World& world, ws::HttpRequest request, ws::HttpResponder responder) {
  ws::HttpResponse response;
  if (request.path == "/hello") {
    if (request.method != "GET") {
      response.status = 405;
      response.headers.emplace_back("Allow", "GET, HEAD");
    } else {
      response.body = "hello " + request.query;
    }
  } else if (request.path == "/echo") {
    response.body = std::move(request.body);
    response.headers.emplace_back("X-Method", request.method);
    response.headers.emplace_back("X-Unknown", std::string(request.header("x-unknown-to-libraries")));
  } else if (request.path == "/big") {
    response.body.assign(static_cast<std::size_t>(std::atol(request.query.c_str())), 'b');
  } else if (request.path == "/who") {
    response.body = fmt::format("{} {} {}", request.peer.host(), request.secure ? "secure" : "plain",
                                request.header("host"));
  } else if (request.path == "/static") {
    static const std::string content(1200000, 's');
    response.static_body = content;
  } else if (request.path == "/dropped") {
    return;
  } else if (request.path == "/later") {
    auto held = std::make_shared<ws::HttpResponder>(std::move(responder));
    world.slow_timer = world.loop->make_timer([held] {
      ws::HttpResponse late;
      late.body = "late";
      held->reply(std::move(late));
    });
    world.slow_timer->start(std::chrono::milliseconds(50));
    return;
  } else {
    response.status = 404;
    response.body = "nothing here\n";
  }
  responder.reply(std::move(response));
}

ws::UpgradeDecision decide(World& world, const ws::UpgradeRequest& request) {
  ws::UpgradeDecision decision;
  if (request.path == "/gw") {
    if (request.subprotocols.size() != 2 || request.subprotocols[0] != "token" ||
        request.subprotocols[1] != std::string(140, 'T')) {
      decision.refuse_status = 401;
      decision.refuse_reason = "no valid token";
      return decision;
    }
    decision.subprotocol = "token";
  } else if (request.path == "/origin") {
    if (request.origin != "http://good.example") {
      decision.refuse_status = 403;
      return decision;
    }
  } else if (request.path != "/ws" && request.path != "/flood") {
    return decision;
  }
  decision.session = std::make_unique<EchoSession>(world, request.path == "/flood");
  return decision;
}

std::string status(World& world) {
  const auto counters = world.server->counters();
  std::size_t queued = 0;
  for (auto* connection : world.echoes) queued += connection->queued_bytes();
  return fmt::format(
      R"({{"connections":{},"accepted":{},"refusedHeads":{},"refusedFull":{},"refusedAddress":{},"failedHandshakes":{},"sessions":{},"queued":{}}})",
      counters.connections, counters.accepted, counters.refused_heads, counters.refused_full,
      counters.refused_address, counters.failed_handshakes, world.open_sessions, queued);
}

}  // namespace

int main(int argc, char** argv) {
  auto loop = make_uv_loop();
  World world;
  world.loop = loop.get();
  ws::HttpServerOptions options;
  options.listen = *SocketAddress::parse("127.0.0.1:0");
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string name = argv[i];
    const auto number = std::atol(argv[i + 1]);
    const auto wait = std::chrono::milliseconds(number);
    if (name == "--head-timeout") options.head_timeout = wait;
    if (name == "--body-timeout") options.body_timeout = wait;
    if (name == "--idle-timeout") options.idle_timeout = wait;
    if (name == "--write-timeout") options.write_timeout = wait;
    if (name == "--ping-interval") options.ping_interval = wait;
    if (name == "--close-timeout") options.close_timeout = wait;
    if (name == "--listen") options.listen = *SocketAddress::parse(argv[i + 1]);
    if (name == "--max-connections-per-address")
      options.max_connections_per_address = static_cast<std::size_t>(number);
    if (name == "--max-connections") options.max_connections = static_cast<std::size_t>(number);
    if (name == "--max-message") options.max_message = static_cast<std::size_t>(number);
    if (name == "--max-body") options.max_body = static_cast<std::size_t>(number);
    if (name == "--debug") log::set_level(log::Level::debug);
    if (name == "--hsts") options.strict_transport = std::chrono::seconds(number);
    if (name == "--trust") options.trusted_proxies = *Networks::parse({argv[i + 1]}, name);
    if (name == "--tls") {
      auto identity = tls::Identity::load(argv[i + 1], {});
      if (!identity) {
        std::cerr << identity.error().message << '\n';
        return 1;
      }
      options.identity = std::move(*identity);
    }
  }
  auto made = ws::HttpServer::listen(
      *loop, options,
      [&](ws::HttpRequest request, ws::HttpResponder responder) {
        answer(world, std::move(request), std::move(responder));
      },
      [&](const ws::UpgradeRequest& request) { return decide(world, request); });
  if (!made) {
    std::cerr << made.error().message << '\n';
    return 1;
  }
  world.server = std::move(*made);
  std::cout << world.server->bound().port() << std::endl;

  std::string line;
  std::unique_ptr<FdWatch> input;
  const auto finish = [&] {
    world.server.reset();
    world.slow_timer.reset();
    loop->stop();
  };
  input = loop->watch(STDIN_FILENO, FdWatch::kReadable, [&](unsigned) {
    char buffer[256];
    const auto count = ::read(STDIN_FILENO, buffer, sizeof buffer);
    if (count <= 0) {
      input.reset();
      return finish();
    }
    line.append(buffer, static_cast<std::size_t>(count));
    for (auto end = line.find('\n'); end != std::string::npos; end = line.find('\n')) {
      const auto command = line.substr(0, end);
      line.erase(0, end + 1);
      if (command == "status") std::cout << status(world) << std::endl;
      if (command == "shut_down") {
        world.server->shut_down(std::chrono::seconds(2), [&](Result<>) {
          std::cout << status(world) << std::endl;
          input.reset();
          finish();
        });
      }
    }
  });
  loop->run();
  return 0;
}
