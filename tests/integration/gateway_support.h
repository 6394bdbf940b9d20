#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/coap/message.h"
#include "core/ws/http_server.h"
#include "daemon/gateway/gateway.h"
#include "daemon/wire/gateway_v1.h"
#include "support/temporary_folder.h"
#include "support/test_loop.h"

/// A real gateway between hand-made CoAP nodes and a hand-made broker, all on one loop.
namespace aiot::test {

using namespace std::chrono_literals;

class Stage : public TestLoop {
 public:
  Stage() {
    // The library's context lives as long as one of its users: with this one it is not made and unmade in one
    // turn, which it does not survive.
    ws::HttpServerOptions options;
    options.listen = *SocketAddress::parse("127.0.0.1:0");
    bystander_ = std::move(*ws::HttpServer::listen(
        loop(), options, [](ws::HttpRequest, ws::HttpResponder) {},
        [](const ws::UpgradeRequest&) { return ws::UpgradeDecision{}; }));
  }

 private:
  std::unique_ptr<ws::HttpServer> bystander_;
};

/// One UDP socket of a device.
class DeviceSocket {
 public:
  using Handler = UniqueFunction<void(const coap::Message&, const SocketAddress&)>;
  DeviceSocket(EventLoop& loop, const std::string& at, Handler handler)
      : fd_(::socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)), handler_(std::move(handler)) {
    sockaddr_storage storage{};
    const auto size = SocketAddress::parse(at)->to(storage);
    INFO("binding " << at);
    REQUIRE(::bind(fd_, reinterpret_cast<sockaddr*>(&storage), size) == 0);
    watch_ = loop.watch(fd_, FdWatch::kReadable, [this](unsigned) { read(); });
  }
  DeviceSocket(const DeviceSocket&) = delete;
  DeviceSocket& operator=(const DeviceSocket&) = delete;
  ~DeviceSocket() {
    watch_.reset();
    ::close(fd_);
  }
  void send(const coap::Message& message, const SocketAddress& to) {
    sockaddr_storage storage{};
    const auto size = to.to(storage);
    const auto datagram = coap::format_message(message);
    (void)::sendto(fd_, datagram.data(), datagram.size(), 0, reinterpret_cast<sockaddr*>(&storage), size);
  }

 private:
  void read() {
    std::array<char, 65536> buffer{};
    for (;;) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const auto got =
          ::recvfrom(fd_, buffer.data(), buffer.size(), 0, reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 0) return;
      auto message = coap::parse_message({buffer.data(), static_cast<std::size_t>(got)});
      if (message) handler_(*message, SocketAddress::from(reinterpret_cast<sockaddr*>(&from), size));
    }
  }
  int fd_;
  Handler handler_;
  std::unique_ptr<FdWatch> watch_;
};

/// A device at an address of its own: posts to the gateway, and serves its resources on port 5683.
class Device {
 public:
  enum class Manner { serves, not_found, garbage, silent };

  Device(EventLoop& loop, const std::string& host, const SocketAddress& gateway,
         Manner at_first = Manner::serves)
      : manner(at_first),
        gateway_(gateway),
        speaker_(loop, host + ":0",
                 [this](const coap::Message& message, const SocketAddress& from) { heard(message, from); }),
        server_(std::make_unique<DeviceSocket>(
            loop, host + ":5683", [this](const coap::Message& message, const SocketAddress& from) {
              serve(*server_, message, from);
            })) {}

  /// POSTs and remembers the answer in `replies`.
  void post(const std::string& path, const std::string& payload, coap::Type type = coap::Type::con) {
    coap::Message message;
    message.type = type;
    message.code = coap::code(0, 2);
    message.message_id = ++message_id_;
    message.token = std::string("t") + static_cast<char>(message_id_ & 0x7F);
    message.add(coap::option::kUriPath, path);
    message.payload = payload;
    speaker_.send(message, gateway_);
  }
  /// From now on only its speaking socket answers, as behind a NAT.
  void hide_server() { server_.reset(); }

  Manner manner;
  std::string links = "</led>,</name>;rt=\"text\"";
  std::map<std::string, std::string> resources = {{"led", "0"}, {"name", "lamp"}};
  std::vector<coap::Message> replies;
  std::vector<std::string> asked;  ///< "GET led"
  std::vector<SocketAddress> asked_from;

 private:
  void heard(const coap::Message& message, const SocketAddress& from) {
    if (message.code == 0) return;
    if (message.code < 32) {
      serve(speaker_, message, from);
      return;
    }
    replies.push_back(message);
    if (message.type == coap::Type::con) {
      coap::Message ack;
      ack.type = coap::Type::ack;
      ack.message_id = message.message_id;
      speaker_.send(ack, from);
    }
  }
  void serve(DeviceSocket& socket, const coap::Message& request, const SocketAddress& from) {
    if (request.code == 0 || request.code >= 32) return;
    std::string path;
    for (const auto segment : request.string_options(coap::option::kUriPath))
      path += (path.empty() ? "" : "/") + std::string(segment);
    static const char* const kMethods[] = {"", "GET", "POST", "PUT", "DELETE"};
    asked.push_back(std::string(request.code < 5 ? kMethods[request.code] : "?") + " " + path);
    asked_from.push_back(from);
    if (manner == Manner::silent) return;
    coap::Message answer;
    answer.type = request.type == coap::Type::con ? coap::Type::ack : coap::Type::non;
    answer.message_id = request.message_id;
    answer.token = request.token;
    answer.code = coap::code(2, 5);
    const auto at = resources.find(path);
    if (manner == Manner::not_found) {
      answer.code = coap::code(4, 4);
    } else if (manner == Manner::garbage) {
      answer.payload = "\xFF\x01<garbage;;";
    } else if (path == ".well-known/core") {
      answer.add_uint(coap::option::kContentFormat, 40);
      answer.payload = links;
    } else if (at == resources.end()) {
      answer.code = coap::code(4, 4);
    } else if (request.code == 3) {
      at->second = request.payload;
      answer.code = coap::code(2, 4);
    } else {
      answer.payload = at->second;
    }
    socket.send(answer, from);
  }

  SocketAddress gateway_;
  DeviceSocket speaker_;
  std::unique_ptr<DeviceSocket> server_;
  std::uint16_t message_id_ = 100;
};

/// The broker's end of aiot.gateway.v1, as plain as can be: writes down what comes.
class FakeBroker {
 public:
  explicit FakeBroker(EventLoop& loop, std::uint16_t port = 0) : loop_(loop) {
    ws::HttpServerOptions options;
    options.listen = *SocketAddress::parse("127.0.0.1:" + std::to_string(port));
    auto server = ws::HttpServer::listen(
        loop, options, [](ws::HttpRequest, ws::HttpResponder) {},
        [this](const ws::UpgradeRequest& request) { return decide(request); });
    INFO((server ? "" : server.error().message));
    REQUIRE(server);
    server_ = std::move(*server);
  }
  [[nodiscard]] std::string url() const { return "ws://" + server_->bound().text(); }
  [[nodiscard]] std::uint16_t port() const { return server_->bound().port(); }

  void send(const wire::Message& message) {
    if (connection_ != nullptr) connection_->send_text(wire::format_message(message));
  }
  void close(std::uint16_t code) {
    if (connection_ != nullptr) connection_->close(code, "");
  }
  void drop() {
    if (connection_ != nullptr) connection_->abort();
  }
  void shut_down(Stage& stage) {
    bool done = false;
    server_->shut_down(1s, [&](Result<>) { done = true; });
    stage.run_until([&] { return done; });
    server_.reset();
  }
  /// What came so far, as "joined n1", "n1 led=0" ...
  [[nodiscard]] bool has(const std::string& line) const {
    return std::find(log.begin(), log.end(), line) != log.end();
  }
  [[nodiscard]] std::ptrdiff_t count(const std::string& line) const {
    return std::count(log.begin(), log.end(), line);
  }

  std::vector<std::string> log;
  std::vector<wire::NodeSnapshot> synced;
  std::vector<wire::Answer> answers;
  std::vector<std::string> tokens;
  std::vector<wire::Hello> hellos;
  std::uint64_t last_sequence = 0;
  std::uint64_t items = 0;
  int upgrades = 0;
  bool refuse = false;  ///< with 401
  bool acknowledges = true;
  bool replays = false;  ///< it speaks the extension "journal"
  std::uint32_t window = 8192;

 private:
  class Session final : public ws::WsSession {
   public:
    explicit Session(FakeBroker& broker) : broker_(broker) {}
    void opened(ws::WsConnection& connection) override { broker_.connection_ = &connection; }
    void received(std::string_view message, bool) override { broker_.received(message); }
    void closed() override { broker_.connection_ = nullptr; }

   private:
    FakeBroker& broker_;
  };

  ws::UpgradeDecision decide(const ws::UpgradeRequest& request) {
    ++upgrades;
    tokens.emplace_back(request.header("authorization"));
    ws::UpgradeDecision decision;
    if (refuse) {
      decision.refuse_status = 401;
      return decision;
    }
    decision.session = std::make_unique<Session>(*this);
    decision.subprotocol = "aiot.gateway.v1";
    return decision;
  }
  void received(std::string_view text) {
    auto message = wire::parse_message(text);
    INFO(text);
    REQUIRE(message);
    if (auto* hello = std::get_if<wire::Hello>(&*message)) {
      hellos.push_back(*hello);
      wire::Welcome welcome;
      welcome.acknowledged = last_sequence;
      welcome.window_items = window;
      welcome.journal = replays;
      send(welcome);
    } else if (auto* sync = std::get_if<wire::Sync>(&*message)) {
      synced.insert(synced.end(), sync->nodes.begin(), sync->nodes.end());
      if (sync->last) log.emplace_back("synced");
    } else if (auto* batch = std::get_if<wire::Batch>(&*message)) {
      CHECK(batch->first == last_sequence + 1);
      for (const auto& item : batch->items) write_down(item, batch->replay ? "replay " : "");
      last_sequence = batch->first + batch->items.size() - 1;
      items += batch->items.size();
      if (acknowledges) send(wire::Ack{last_sequence});
    } else if (auto* live = std::get_if<wire::Live>(&*message)) {
      for (const auto& item : live->items) write_down(item, "live ");
    } else if (auto* next = std::get_if<wire::NextStream>(&*message)) {
      last_sequence = 0;
      send(wire::Resume{next->stream, 0});
    } else if (auto* answer = std::get_if<wire::Answer>(&*message)) {
      answers.push_back(*answer);
    }
  }
  void write_down(const wire::Item& item, const std::string& how) {
    if (auto* update = std::get_if<Update>(&item))
      log.push_back(how + update->uid + " " + update->resource + "=" + update->bytes);
    if (auto* joined = std::get_if<wire::NodeJoined>(&item))
      log.push_back(how + "joined " + joined->uid + " " + joined->address);
    if (auto* out = std::get_if<wire::NodeOut>(&item)) log.push_back(how + "out " + out->uid);
    if (auto* reset = std::get_if<wire::NodeReset>(&item))
      log.push_back(how + "reset " + reset->uid + " " + reset->address);
    if (auto* notice = std::get_if<wire::Notice>(&item)) log.push_back(how + "notice " + notice->type);
  }

  EventLoop& loop_;
  ws::WsConnection* connection_ = nullptr;
  std::unique_ptr<ws::HttpServer> server_;
};

/// A gateway of the test's; stopped as a daemon stops it.
struct RunningGateway {
  RunningGateway(Stage& on, gateway::Options options, bool given_token = true) : stage(on) {
    if (!options.coap) options.coap = *SocketAddress::parse("127.0.0.1:0");
    options.name = "test";
    if (given_token) options.token = "token";
    gateway = gateway::Gateway::make(stage.loop(), std::move(options));
    auto started = gateway->start();
    INFO((started ? "" : started.error().message));
    REQUIRE(started);
    address = gateway->listeners().at(0).second;
  }
  /// With that broker, and in step with it.
  RunningGateway(Stage& on, FakeBroker& broker, gateway::Options options = {})
      : RunningGateway(on, with_broker(std::move(options), broker)) {
    REQUIRE(stage.run_until([&] { return broker.has("synced"); }));
  }
  ~RunningGateway() {
    if (gateway) stop();
  }
  void stop() {
    bool done = false;
    gateway->stop(4s, [&](Result<>) { done = true; });
    CHECK(stage.run_until([&] { return done; }, 5s));
    gateway.reset();
  }
  Stage& stage;
  std::unique_ptr<gateway::Gateway> gateway;
  SocketAddress address;

 private:
  static gateway::Options with_broker(gateway::Options options, const FakeBroker& broker) {
    options.broker_url = broker.url();
    return options;
  }
};

}  // namespace aiot::test
