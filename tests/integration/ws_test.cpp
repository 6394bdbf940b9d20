#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <optional>

#include "core/loop/event_loop.h"
#include "core/ws/http_server.h"
#include "core/ws/ws_client.h"
#include "support/tcp_listener.h"

namespace {

using namespace aiot;
using namespace std::chrono_literals;

/// A real loop, a server on it and what its sessions did.
struct World {
  std::unique_ptr<EventLoop> loop = make_uv_loop();
  std::unique_ptr<ws::HttpServer> server;
  std::vector<std::string> received;
  std::map<int, ws::WsConnection*> connections;
  int sessions_made = 0;
  int sessions_closed = 0;
  ws::Headers seen_headers;
  std::vector<std::string> seen_subprotocols;
  std::vector<ws::HttpResponder> held;
  std::function<void(ws::WsConnection&, std::string_view)> on_message;

  /// Turns the loop until `done` says so; false when that takes longer than ten seconds.
  bool run_until(const std::function<bool()>& done) {
    const auto limit = loop->now() + 20s;
    bool reached = done();
    std::unique_ptr<Timer> tick;
    tick = loop->make_timer([&] {
      reached = done();
      if (reached || loop->now() > limit) return loop->stop();
      tick->start(1ms);
    });
    if (reached) return true;
    tick->start(1ms);
    loop->run();
    return reached;
  }

  ws::HttpServerOptions options() {
    ws::HttpServerOptions made;
    made.listen = *SocketAddress::parse("127.0.0.1:0");
    return made;
  }
  void serve(ws::HttpServerOptions options);
  [[nodiscard]] ws::Endpoint endpoint() const {
    return *ws::parse_endpoint("ws://" + server->bound().text());
  }
};

class Session final : public ws::WsSession {
 public:
  explicit Session(World& world) : world_(world), id_(world.sessions_made++) {}
  void opened(ws::WsConnection& connection) override {
    world_.connections[id_] = &connection;
    connection_ = &connection;
  }
  void received(std::string_view message, bool) override {
    world_.received.emplace_back(message);
    if (world_.on_message) world_.on_message(*connection_, message);
  }
  void closed() override {
    ++world_.sessions_closed;
    world_.connections.erase(id_);
  }

 private:
  World& world_;
  int id_;
  ws::WsConnection* connection_ = nullptr;
};

void World::serve(ws::HttpServerOptions with) {
  auto made = ws::HttpServer::listen(
      *loop, with,
      [this](ws::HttpRequest request, ws::HttpResponder responder) {
        seen_headers = request.headers;
        if (request.path == "/hold") return held.push_back(std::move(responder));
        ws::HttpResponse response;
        response.body = request.method + " " + request.path + "?" + request.query + " " + request.body;
        if (request.path == "/big") response.body = std::string(30'000'000, 'b');
        if (request.path == "/missing") response.status = 404;
        responder.reply(std::move(response));
      },
      [this](const ws::UpgradeRequest& request) {
        seen_headers = request.headers;
        seen_subprotocols = request.subprotocols;
        ws::UpgradeDecision decision;
        if (request.path == "/refuse") {
          decision.refuse_status = std::stoi(request.query);
          return decision;
        }
        if (!request.subprotocols.empty()) decision.subprotocol = request.subprotocols.front();
        decision.session = std::make_unique<Session>(*this);
        return decision;
      });
  REQUIRE(made);
  server = std::move(*made);
}

/// A client and what it heard.
struct Peer {
  std::unique_ptr<ws::WsClient> client;
  bool open = false;
  std::string subprotocol;
  std::vector<std::string> received;
  std::optional<Error> closed;
  int writable = 0;

  void connect(World& world, const ws::Endpoint& endpoint, ws::ClientOptions options = {}) {
    ws::WsClient::Callbacks callbacks;
    callbacks.opened = [this](const std::string& name) {
      open = true;
      subprotocol = name;
    };
    callbacks.received = [this](std::string_view message, bool) { received.emplace_back(message); };
    callbacks.closed = [this](Error why) { closed = std::move(why); };
    callbacks.writable = [this] { ++writable; };
    client = ws::WsClient::connect(*world.loop, endpoint, std::move(options), std::move(callbacks));
  }
};

ws::Endpoint closed_port() {
  return *ws::parse_endpoint("ws://127.0.0.1:" + std::to_string(test::TcpListener().port()));
}

}  // namespace

TEST_CASE("a client and a server exchange messages and close with code and reason") {
  World world;
  world.serve(world.options());
  Peer peer;
  ws::ClientOptions options;
  options.path = "/ws";
  options.headers = {{"X-Extra", "yes"}};
  peer.connect(world, world.endpoint(), options);
  peer.client->send_text("before it is open");
  REQUIRE(world.run_until([&] { return world.received.size() == 1; }));
  CHECK(world.received[0] == "before it is open");
  CHECK(peer.open);
  const auto find = [&](std::string_view name) {
    for (const auto& [key, value] : world.seen_headers) {
      if (key == name) return value;
    }
    return std::string();
  };
  CHECK(find("x-extra") == "yes");
  CHECK(find("host") == world.server->bound().text());
  CHECK(find("sec-websocket-extensions").empty());

  world.connections[0]->send_text("to the client");
  REQUIRE(world.run_until([&] { return peer.received.size() == 1; }));
  CHECK(peer.received[0] == "to the client");

  SECTION("from the server") {
    world.connections[0]->close(1003, "not understood");
    REQUIRE(world.run_until([&] { return peer.closed && world.sessions_closed == 1; }));
    CHECK(peer.closed->code == Errc::rejected);
    CHECK(peer.closed->native == 1003);
    CHECK(peer.closed->message.find("not understood") != std::string::npos);
  }
  SECTION("from the client") {
    peer.client->close(1000, "done");
    REQUIRE(world.run_until([&] { return peer.closed && world.sessions_closed == 1; }));
    CHECK(peer.closed->native == 1000);
  }
  SECTION("by destroying the client") {
    peer.client.reset();
    REQUIRE(world.run_until([&] { return world.sessions_closed == 1; }));
    CHECK_FALSE(peer.closed);
  }
  SECTION("by destroying the server") {
    world.server.reset();
    REQUIRE(world.run_until([&] { return peer.closed.has_value(); }));
    CHECK(peer.closed->code == Errc::unreachable);
    CHECK(world.sessions_closed == 0);
  }
  SECTION("by aborting") {
    world.connections[0]->abort();
    REQUIRE(world.run_until([&] { return peer.closed && world.sessions_closed == 1; }));
    CHECK(peer.closed->code == Errc::unreachable);
  }
}

TEST_CASE("messages of every length keep order and content both ways") {
  World world;
  auto options = world.options();
  options.max_message = 8 * 1024 * 1024;
  world.serve(options);
  world.on_message = [](ws::WsConnection& connection, std::string_view message) {
    connection.send_text(message);
  };
  Peer peer;
  ws::ClientOptions client;
  client.path = "/ws";
  client.max_message = 8 * 1024 * 1024;
  peer.connect(world, world.endpoint(), client);
  std::vector<std::string> sent;
  for (const std::size_t size : {0, 1, 125, 126, 127, 65521, 65522, 65535, 65536, 65537, 200000, 4194304}) {
    std::string message(size, ' ');
    for (std::size_t i = 0; i < size; ++i) message[i] = static_cast<char>('a' + (i * 7 + size) % 26);
    sent.push_back(message);
    peer.client->send_text(message);
  }
  CHECK(peer.client->queued_bytes() > 4 * 1024 * 1024);
  REQUIRE(world.run_until([&] { return peer.received.size() == sent.size() || peer.closed; }));
  REQUIRE_FALSE(peer.closed);
  CHECK(peer.received == sent);
  CHECK(peer.client->queued_bytes() == 0);
  CHECK(peer.writable > 0);
}

TEST_CASE("a pyaiot gateway's token of 140 characters passes both ways") {
  World world;
  world.serve(world.options());
  Peer peer;
  ws::ClientOptions options;
  options.path = "/gw";
  options.subprotocols = {"token", std::string(140, 'T')};
  peer.connect(world, world.endpoint(), options);
  REQUIRE(world.run_until([&] { return peer.open || peer.closed; }));
  REQUIRE(peer.open);
  CHECK(peer.subprotocol == "token");
  CHECK(world.seen_subprotocols == options.subprotocols);
}

TEST_CASE("a client says why it was refused") {
  World world;
  world.serve(world.options());
  const auto attempt = [&](const ws::Endpoint& endpoint, const std::string& path) {
    Peer peer;
    ws::ClientOptions options;
    options.path = path;
    options.timeout = 5s;
    peer.connect(world, endpoint, options);
    REQUIRE(world.run_until([&] { return peer.closed.has_value(); }));
    CHECK_FALSE(peer.open);
    return *peer.closed;
  };
  const std::vector<std::pair<int, Errc>> cases = {{401, Errc::unauthorized}, {403, Errc::unauthorized},
                                                   {404, Errc::rejected},     {429, Errc::rejected},
                                                   {500, Errc::peer_failed},  {503, Errc::peer_failed}};
  for (const auto& [status, code] : cases) {
    const auto why = attempt(world.endpoint(), "/refuse?" + std::to_string(status));
    CAPTURE(status, why.message);
    CHECK(why.code == code);
    CHECK(why.native == status);
  }
  const auto refused = attempt(closed_port(), "/ws");
  CAPTURE(refused.message);
  CHECK(refused.code == Errc::unreachable);
  CHECK(refused.native == ECONNREFUSED);
}

TEST_CASE("a client tries the next address when one refuses") {
  World world;
  auto options = world.options();
  options.listen = *SocketAddress::parse("127.0.0.1:0");
  world.serve(options);
  // "localhost" is ::1 and 127.0.0.1 where IPv6 is on; only the latter listens.
  auto endpoint = world.endpoint();
  endpoint.host = "localhost";
  Peer peer;
  peer.connect(world, endpoint, {});
  REQUIRE(world.run_until([&] { return peer.open || peer.closed; }));
  CHECK(peer.open);
}

TEST_CASE("a client gives up at its deadline and when nothing is heard") {
  World world;
  const test::TcpListener listener;
  const auto endpoint = *ws::parse_endpoint("ws://127.0.0.1:" + std::to_string(listener.port()));
  Peer peer;
  ws::ClientOptions options;
  options.timeout = 100ms;
  peer.connect(world, endpoint, options);
  std::optional<Result<ws::HttpClientResponse>> answer;
  ws::HttpClientRequest request;
  request.timeout = 100ms;
  request.method = "PUT";
  auto operation = ws::http_request(*world.loop, endpoint, request,
                                    [&](Result<ws::HttpClientResponse> result) { answer = result; });
  REQUIRE(world.run_until([&] { return peer.closed && answer; }));
  CHECK(peer.closed->code == Errc::timeout);
  CHECK(answer->error().code == Errc::timeout);
  CHECK(answer->error().outcome == Outcome::unknown);

  // A server that reads nothing answers no ping either.
  world.serve(world.options());
  Peer silent;
  ws::ClientOptions quick;
  quick.ping_interval = 50ms;
  silent.connect(world, world.endpoint(), quick);
  REQUIRE(world.run_until([&] { return silent.open; }));
  world.connections.begin()->second->pause_reading(true);
  REQUIRE(world.run_until([&] { return silent.closed.has_value(); }));
  CHECK(silent.closed->code == Errc::unreachable);
  CHECK(silent.closed->message.find("ping") != std::string::npos);
}

TEST_CASE("descriptors that others open while a client goes stay theirs") {
  World world;
  const test::TcpListener listener;
  Peer peer;
  peer.connect(world, *ws::parse_endpoint("ws://127.0.0.1:" + std::to_string(listener.port())), {});
  int turns = 0;
  REQUIRE(world.run_until([&] { return ++turns > 5; }));
  std::vector<int> opened;
  peer.client.reset();
  for (int i = 0; i < 20; ++i) opened.push_back(::dup(STDERR_FILENO));
  turns = 0;
  REQUIRE(world.run_until([&] { return ++turns > 5; }));
  for (const int descriptor : opened) {
    CAPTURE(descriptor);
    CHECK(::fcntl(descriptor, F_GETFD) != -1);
    ::close(descriptor);
  }
}

TEST_CASE("destroying a client inside its callbacks is safe") {
  World world;
  world.serve(world.options());
  world.on_message = [](ws::WsConnection& connection, std::string_view) { connection.send_text("reply"); };
  std::unique_ptr<ws::WsClient> client;
  bool destroyed = false;
  const auto destroy = [&] {
    client.reset();
    destroyed = true;
  };
  ws::WsClient::Callbacks callbacks;
  auto endpoint = world.endpoint();
  ws::ClientOptions options;
  SECTION("opened") {
    callbacks.opened = [&](const std::string&) { destroy(); };
  }
  SECTION("received") {
    callbacks.opened = [&](const std::string&) { client->send_text("hello"); };
    callbacks.received = [&](std::string_view, bool) { destroy(); };
  }
  SECTION("closed by a refusal") {
    options.path = "/refuse?403";
    callbacks.closed = [&](Error) { destroy(); };
  }
  SECTION("closed by a closed port") {
    endpoint = closed_port();
    callbacks.closed = [&](Error) { destroy(); };
  }
  SECTION("closed by its own close") {
    callbacks.opened = [&](const std::string&) { client->close(1000, "enough"); };
    callbacks.closed = [&](Error) { destroy(); };
  }
  SECTION("writable") {
    callbacks.opened = [&](const std::string&) { client->send_text(std::string(300000, 'x')); };
    callbacks.writable = [&] { destroy(); };
  }
  client = ws::WsClient::connect(*world.loop, endpoint, options, std::move(callbacks));
  REQUIRE(world.run_until([&] { return destroyed; }));
  REQUIRE(world.run_until([&] { return world.server->counters().connections == 0; }));
}

TEST_CASE("a loop may end with clients and servers in every state") {
  World world;
  world.serve(world.options());
  std::vector<Peer> peers(4);
  peers[0].connect(world, world.endpoint());
  REQUIRE(world.run_until([&] { return peers[0].open; }));
  peers[1].connect(world, world.endpoint());
  peers[2].connect(world, closed_port());
  peers[3].connect(world, world.endpoint());
  peers[3].client->close(1000, "");
  peers[0].client->send_text(std::string(1000000, 'x'));
}

TEST_CASE("the HTTP client gets answers whole, with status and headers") {
  World world;
  world.serve(world.options());
  std::vector<Operation> operations;
  const auto fetch = [&](ws::HttpClientRequest request, const ws::Endpoint& endpoint) {
    std::optional<Result<ws::HttpClientResponse>> answer;
    auto operation =
        ws::http_request(*world.loop, endpoint, std::move(request),
                         [&](Result<ws::HttpClientResponse> result) { answer = std::move(result); });
    REQUIRE(world.run_until([&] { return answer.has_value(); }));
    return std::move(*answer);
  };
  ws::HttpClientRequest request;
  request.path = "/a/b?c=d";
  auto answer = fetch(request, world.endpoint());
  REQUIRE(answer);
  CHECK(answer->status == 200);
  CHECK(answer->body == "GET /a/b?c=d ");
  CHECK(answer->header("content-type") == "text/plain; charset=utf-8");

  request.method = "PUT";
  request.body = std::string(900000, 'p');
  answer = fetch(request, world.endpoint());
  REQUIRE(answer);
  CHECK(answer->body.size() == 900000 + std::string("PUT /a/b?c=d ").size());

  request = {};
  request.path = "/missing";
  answer = fetch(request, world.endpoint());
  REQUIRE(answer);
  CHECK(answer->status == 404);

  request.path = "/big";
  answer = fetch(request, world.endpoint());
  REQUIRE(answer);
  CHECK(answer->body.size() == 30'000'000);

  request.max_body = 1000;
  answer = fetch(request, world.endpoint());
  CHECK(answer.error().code == Errc::peer_failed);

  request = {};
  request.path = "/x\r\nInjected: yes";
  answer = fetch(request, world.endpoint());
  CHECK(answer.error().code == Errc::usage);

  answer = fetch({}, closed_port());
  CAPTURE(answer.error().message);
  CHECK(answer.error().code == Errc::unreachable);
  CHECK(answer.error().native == ECONNREFUSED);

  // Cancelled, it says nothing; the held answer goes nowhere.
  request = {};
  request.path = "/hold";
  bool called = false;
  auto operation = ws::http_request(*world.loop, world.endpoint(), request,
                                    [&](Result<ws::HttpClientResponse>) { called = true; });
  REQUIRE(world.run_until([&] { return !world.held.empty(); }));
  operation.cancel();
  // Only a byte or an end can tell the server that the client has gone: here the answer does.
  world.held.front().reply({});
  REQUIRE(world.run_until([&] { return world.server->counters().connections == 0; }));
  CHECK_FALSE(called);
}

TEST_CASE("an address in use is unreachable") {
  World world;
  world.serve(world.options());
  auto options = world.options();
  options.listen = world.server->bound();
  auto second = ws::HttpServer::listen(
      *world.loop, options, [](ws::HttpRequest, ws::HttpResponder) {},
      [](const ws::UpgradeRequest&) { return ws::UpgradeDecision{}; });
  REQUIRE_FALSE(second);
  CHECK(second.error().code == Errc::unreachable);
  CHECK(second.error().message.find(world.server->bound().text()) != std::string::npos);
}

namespace {

/// Frames without end, counted.
class Flood final : public ws::FrameSource {
 public:
  Flood() {
    while (chunk_.size() < 60 * 1024) ws::append_text_frame(chunk_, std::string(100, 'f'));
  }
  std::string_view peek() override { return sent < limit ? std::string_view(chunk_) : std::string_view(); }
  void consume(std::size_t bytes) override { sent += bytes; }
  std::size_t sent = 0;
  std::size_t limit = SIZE_MAX;

 private:
  std::string chunk_;
};

}  // namespace

TEST_CASE("a client that does not read costs a bounded amount and delays no one") {
  World world;
  auto options = world.options();
  options.ping_interval = 400ms;
  world.serve(options);
  // It shakes hands and then reads nothing.
  const int deaf = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_storage to{};
  const auto length = world.server->bound().to(to);
  REQUIRE(::connect(deaf, reinterpret_cast<sockaddr*>(&to), length) == 0);
  const std::string head =
      "GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: keep-alive, Upgrade\r\n"
      "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  REQUIRE(::send(deaf, head.data(), head.size(), 0) == static_cast<ssize_t>(head.size()));
  REQUIRE(world.run_until([&] { return world.connections.size() == 1; }));
  Flood unread;
  world.connections[0]->set_source(&unread);
  world.connections[0]->wake();

  Peer peer;
  peer.connect(world, world.endpoint());
  REQUIRE(world.run_until([&] { return peer.open && world.connections.size() == 2; }));
  Flood read;
  read.limit = 20'000'000;
  world.connections[1]->set_source(&read);
  world.connections[1]->wake();
  REQUIRE(world.run_until([&] { return peer.received.size() * 102 >= read.limit; }));
  CHECK(unread.sent < 16 * 1024 * 1024);
  // And it is dropped when it has answered no ping.
  REQUIRE(world.run_until([&] { return world.sessions_closed == 1; }));
  CHECK(world.connections.count(1) == 1);
  ::close(deaf);
}

TEST_CASE("frames of a source larger than a write stay whole beside pongs") {
  World world;
  world.serve(world.options());
  Peer peer;
  ws::ClientOptions options;
  options.ping_interval = 50ms;  // the server's pongs go between the frames
  peer.connect(world, world.endpoint(), options);
  REQUIRE(world.run_until([&] { return peer.open; }));
  class Mixed final : public ws::FrameSource {
   public:
    Mixed() {
      for (std::size_t i = 0; i < 400; ++i)
        ws::append_text_frame(bytes_, std::string(1 + i * 997 % 150000, 'm'));
    }
    std::string_view peek() override { return std::string_view(bytes_).substr(at_); }
    void consume(std::size_t count) override { at_ += count; }

   private:
    std::string bytes_;
    std::size_t at_ = 0;
  } source;
  world.connections[0]->set_source(&source);
  world.connections[0]->wake();
  REQUIRE(world.run_until([&] { return peer.received.size() == 400 || peer.closed; }));
  CAPTURE(peer.received.size(), peer.closed ? peer.closed->message : "");
  REQUIRE_FALSE(peer.closed);
  for (std::size_t i = 0; i < 400; ++i) REQUIRE(peer.received[i].size() == 1 + i * 997 % 150000);
}

TEST_CASE("a client whose server only answers pings stays") {
  World world;
  world.serve(world.options());
  Peer peer;
  ws::ClientOptions options;
  options.ping_interval = 20ms;
  peer.connect(world, world.endpoint(), options);
  REQUIRE(world.run_until([&] { return peer.open; }));
  bool waited = false;
  const auto timer = world.loop->make_timer([&] { waited = true; });
  timer->start(300ms);
  REQUIRE(world.run_until([&] { return waited; }));
  CHECK_FALSE(peer.closed);
}

TEST_CASE("thousands of connections are opened, served and shut down") {
  World world;
  world.serve(world.options());
  world.on_message = [](ws::WsConnection& connection, std::string_view message) {
    connection.send_text(message);
  };
  std::vector<Peer> peers(2000);
  for (auto& peer : peers) peer.connect(world, world.endpoint());
  for (auto& peer : peers) peer.client->send_text("here");
  std::size_t at = 0;
  const bool all = world.run_until([&] {
    while (at < peers.size() && peers[at].received.size() == 1) ++at;
    return at == peers.size();
  });
  CAPTURE(at, world.sessions_made, world.server->counters().accepted, world.server->counters().refused_full,
          peers[at % peers.size()].closed.has_value(), peers[at % peers.size()].open,
          peers[at % peers.size()].closed ? peers[at % peers.size()].closed->message : "");
  REQUIRE(all);
  CHECK(world.server->counters().connections == 2000);
  bool done = false;
  world.server->shut_down(10s, [&](Result<> result) {
    CHECK(result);
    done = true;
  });
  at = 0;
  REQUIRE(world.run_until([&] {
    while (at < peers.size() && peers[at].closed) ++at;
    return done && at == peers.size();
  }));
  CHECK(peers[0].closed->native == 1001);
  CHECK(world.sessions_closed == 2000);
  CHECK(world.server->counters().connections == 0);
}

TEST_CASE("reading can be paused and resumed without loss") {
  World world;
  world.serve(world.options());
  Peer peer;
  peer.connect(world, world.endpoint());
  REQUIRE(world.run_until([&] { return peer.open; }));
  world.on_message = [](ws::WsConnection& connection, std::string_view) { connection.pause_reading(true); };
  for (int i = 0; i < 500; ++i)
    peer.client->send_text("number " + std::to_string(i) + std::string(2000, '.'));
  for (int i = 0; i < 500; ++i) {
    REQUIRE(world.run_until([&] { return world.received.size() > static_cast<std::size_t>(i); }));
    if (world.received.size() > 500) break;
    if (!world.connections.empty()) world.connections[0]->pause_reading(false);
  }
  REQUIRE(world.received.size() == 500);
  for (int i = 0; i < 500; ++i) {
    CHECK(world.received[static_cast<std::size_t>(i)].substr(0, 11) ==
          ("number " + std::to_string(i) + std::string(2000, '.')).substr(0, 11));
  }
}
