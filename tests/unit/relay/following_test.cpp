#include "core/relay/following.h"

#include <catch2/catch.hpp>
#include <functional>
#include <nlohmann/json.hpp>

#include "core/loop/event_loop.h"
#include "core/relay/client_v1.h"
#include "core/relay/relay_client.h"
#include "core/ws/http_server.h"

using namespace aiot;
using namespace std::chrono_literals;
using nlohmann::json;

namespace {

/// A broker that speaks aiot.client.v1 by a script: each subscribe is answered with the next list of
/// messages.
class FakeBroker {
 public:
  explicit FakeBroker(EventLoop& loop, std::uint16_t port = 0) {
    ws::HttpServerOptions options;
    options.listen = SocketAddress::parse("127.0.0.1:0")->with_port(port);
    auto server = ws::HttpServer::listen(
        loop, options, [](const ws::HttpRequest&, ws::HttpResponder responder) { responder.reply({404}); },
        [this](const ws::UpgradeRequest& request) {
          ws::UpgradeDecision decision;
          CHECK(request.header("authorization") == "Bearer secret");
          decision.subprotocol = relay::client_v1::kName;
          decision.session = std::make_unique<Session>(*this);
          return decision;
        });
    REQUIRE(server);
    server_ = *std::move(server);
  }
  [[nodiscard]] std::uint16_t port() const { return server_->bound().port(); }
  void send(const std::string& message) {
    REQUIRE(connection_ != nullptr);
    connection_->send_text(message);
  }

  std::vector<std::vector<std::string>> answers;  ///< to each subscribe; `$` is its id
  std::vector<json> subscribed;
  std::vector<json> others;

 private:
  struct Session final : ws::WsSession {
    explicit Session(FakeBroker& of) : broker(of) {}
    void opened(ws::WsConnection& connection) override { broker.connection_ = &connection; }
    void received(std::string_view text, bool) override {
      const auto message = json::parse(text);
      if (message["type"] == "hello") return broker.send(R"({"type":"welcome","version":1})");
      if (message["type"] != "subscribe") return broker.others.push_back(message);
      broker.subscribed.push_back(message);
      if (broker.subscribed.size() > broker.answers.size()) return;
      for (std::string answer : broker.answers[broker.subscribed.size() - 1]) {
        answer.replace(answer.find('$'), 1, message["id"].dump());
        broker.send(answer);
      }
    }
    void closed() override { broker.connection_ = nullptr; }
    FakeBroker& broker;
  };

  ws::WsConnection* connection_ = nullptr;
  std::unique_ptr<ws::HttpServer> server_;
};

constexpr const char* kSnapshot =
    R"({"type":"snapshot","id":$,"nodes":[{"node":"n1","gateway":"paris","protocol":"CoAP","state":"live",)"
    R"("values":[{"resource":"t","value":"20","time":1000,"seq":5}]}]})";
constexpr const char* kLast = R"({"type":"snapshot","id":$,"last":true,"nodes":[]})";

std::string updates(const std::string& items) {
  return R"({"type":"updates","id":$,"items":[)" + items + "]}";
}
std::string update(const std::string& node, const std::string& value) {
  return R"({"node":")" + node + R"(","resource":"t","value":")" + value + R"(","time":2000})";
}

struct World {
  explicit World(const std::string& path, std::vector<std::vector<std::string>> answers)
      : loop(make_uv_loop()), broker(std::make_unique<FakeBroker>(*loop)) {
    broker->answers = std::move(answers);
    client = relay::make_relay_client(*loop, "secret");
    deadline = loop->make_timer([this] { loop->stop(); });
    request.uri = *parse_uri("aiot://127.0.0.1:" + std::to_string(broker->port()) + path);
    request.timeout = 2s;
  }
  ~World() {
    operation = Operation();
    client.reset();
    broker.reset();
    deadline.reset();
  }
  void observe() {
    operation = client->observe(
        request,
        [this](Client::Notification note) {
          if (const auto* value = std::get_if<Response>(&note)) {
            seen.push_back(value->node + "/" + value->resource + "=" + value->payload);
            last = *value;
          } else {
            const auto& event = std::get<StreamEvent>(note);
            seen.emplace_back(to_string(event.kind));
            if (event.missed) seen.back() += " " + std::to_string(*event.missed);
          }
          if (done && done()) loop->stop();
        },
        [this](Result<> result) {
          failed = result.error();
          loop->stop();
        });
  }
  /// Runs until so much was seen, or it failed.
  void until(std::size_t count) {
    done = [this, count] { return seen.size() >= count; };
    deadline->start(10s);
    if (seen.size() < count) loop->run();
    deadline->stop();
    if (!failed) REQUIRE(seen.size() >= count);
  }

  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<FakeBroker> broker;
  std::unique_ptr<Client> client;
  std::unique_ptr<Timer> deadline;
  Request request;
  Operation operation;
  std::vector<std::string> seen;
  std::optional<Response> last;
  std::optional<Error> failed;
  std::function<bool()> done;
};

using Seen = std::vector<std::string>;

}  // namespace

TEST_CASE("Following on aiot.client.v1 begins with the value, and goes on with what comes") {
  World world("/n1/t",
              {{kSnapshot, kLast,
                updates(update("n1", "21") + "," + R"({"node":"n1","resource":"t","value":"/wA=",)" +
                        R"("encoding":"base64","format":42,"time":3000,"time_uncertain":true,"seq":9})")}});
  world.observe();
  world.until(3);
  CHECK(world.seen == Seen{"n1/t=20", "n1/t=21", std::string("n1/t=\xff\0", 7)});
  CHECK(world.broker->subscribed.at(0)["nodes"] == json::array({"n1"}));
  CHECK(world.broker->subscribed.at(0)["resources"] == json::array({"t"}));
  CHECK(world.last->gateway == "paris");
  CHECK(world.last->protocol == "CoAP");
  CHECK(world.last->uri == world.request.uri.text);
  CHECK(world.last->content_format == 42);
  CHECK(world.last->sequence == 9);
  CHECK(world.last->time_uncertain);
  CHECK(world.last->time == WallTime(3s));
}

TEST_CASE("A gap says how much was missed, and a swallowed event makes it look again") {
  World world(
      "/*/t",
      {{kSnapshot, kLast, R"({"type":"gap","id":$,"missed":7,"reason":"slow"})", updates(update("n1", "21")),
        R"({"type":"gap","id":$,"missed":1,"events":2,"reason":"slow"})"},
       {R"({"type":"snapshot","id":$,"nodes":[{"node":"n1","state":"out","values":[]}]})", kLast}});
  world.observe();
  world.until(5);
  CHECK(world.seen == Seen{"n1/t=20", "gap 7", "n1/t=21", "gap 1", "lost"});
  CHECK(world.broker->others.at(0) == json{{"type", "unsubscribe"}, {"id", 1}});
}

TEST_CASE(
    "A node, or its gateway, that goes is lost, and one that returns resumed, without its values again") {
  const std::string joined = R"({"event":"joined","node":"n1","gateway":"paris","state":"live"})";
  World world(
      "/n1/t",
      {{kSnapshot, kLast,
        updates(
            R"({"event":"out","node":"n1","gateway":"paris","state":"out"},)" + joined + "," +
            update("n1", "20") + "," + update("n1", "20") +
            R"(,{"event":"gateway_down","gateway":"rome"},{"event":"gateway_down","gateway":"paris"},)" +
            R"({"event":"gateway_up","gateway":"paris"},{"event":"unheard","node":"n1","state":"stale"},)" +
            joined + "," + update("n1", "22"))}});
  world.observe();
  world.until(7);
  CHECK(world.seen == Seen{"n1/t=20", "lost", "resumed", "n1/t=20", "lost", "resumed", "n1/t=22"});
}

TEST_CASE("After the connection was lost it says so, and what has changed since") {
  World world("/n1/t", {{kSnapshot, kLast}});
  world.observe();
  world.until(1);
  const auto port = world.broker->port();
  world.broker.reset();
  world.until(2);
  world.broker = std::make_unique<FakeBroker>(*world.loop, port);
  std::string changed = kSnapshot;
  changed.replace(changed.find("20"), 2, "25");
  world.broker->answers = {{changed, kLast, updates(update("n1", "26"))}};
  world.until(6);
  CHECK(world.seen == Seen{"n1/t=20", "lost", "resumed", "gap", "n1/t=25", "n1/t=26"});
}

TEST_CASE("Following what the broker does not have fails at once, in words") {
  {
    World world("/n1/t", {{kLast}});
    world.observe();
    world.until(1);
    REQUIRE(world.failed);
    CHECK(world.failed->code == Errc::rejected);
    CHECK(world.failed->message == "no node is named n1");
  }
  {
    World world("/n1/x", {{R"({"type":"snapshot","id":$,"nodes":[{"node":"n1","state":"live","values":[]}]})",
                           kLast}});
    world.observe();
    world.until(1);
    REQUIRE(world.failed);
    CHECK(world.failed->message == "node n1 has no resource x");
  }
  std::string stale = kSnapshot;
  stale.replace(stale.find("live"), 4, "stale");
  {
    World world("/n1/t", {{stale, kLast}});
    world.observe();
    world.until(1);
    REQUIRE(world.failed);
    CHECK(world.failed->code == Errc::unreachable);
  }
  {
    World world("/n1/t", {{stale, kLast}});
    world.request.stale = true;
    world.observe();
    world.until(2);
    CHECK(world.seen == Seen{"n1/t=20", "lost"});
  }
  {
    World world("/n1/t", {{R"({"type":"refused","id":$,"code":"unauthorized","message":"not allowed"})"}});
    world.observe();
    world.until(1);
    REQUIRE(world.failed);
    CHECK(world.failed->code == Errc::unauthorized);
  }
  {
    World world("/n1/t", {});
    world.request.timeout = 100ms;
    world.observe();
    world.until(1);
    REQUIRE(world.failed);
    CHECK(world.failed->code == Errc::timeout);
  }
}

TEST_CASE("A broker's messages of aiot.client.v1 that make no sense are told from those that do") {
  using namespace relay::client_v1;
  CHECK_FALSE(parse("{"));
  CHECK_FALSE(parse("[]"));
  CHECK(std::holds_alternative<Other>(*parse("{}")));
  CHECK(std::holds_alternative<Other>(*parse(R"({"type":"later"})")));
  const auto parsed = parse(
      R"({"type":"updates","id":1,"items":[1,{},{"node":"n","resource":"r","value":"?","encoding":"base64"},)"
      R"({"node":"n","resource":"r","value":"x","format":70000},{"node":"n","resource":"r","value":"x","time":-1}]})");
  REQUIRE(parsed);
  CHECK(std::get<Updates>(*parsed).items.size() == 1);
}
