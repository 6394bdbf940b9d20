#include "core/relay/relay_client.h"

#include <catch2/catch.hpp>
#include <deque>
#include <functional>
#include <nlohmann/json.hpp>
#include <set>

#include "core/loop/event_loop.h"
#include "core/ws/http_server.h"

using namespace aiot;
using namespace std::chrono_literals;

namespace {

/// A broker as far as a client sees it: it answers REST as told and keeps the clients of /ws.
class FakeBroker {
 public:
  explicit FakeBroker(EventLoop& loop, std::uint16_t port = 0) {
    ws::HttpServerOptions options;
    options.listen = SocketAddress::parse("127.0.0.1:0")->with_port(port);
    auto server = ws::HttpServer::listen(
        loop, options,
        [this](ws::HttpRequest request, ws::HttpResponder responder) {
          serve(request, std::move(responder));
        },
        [this](const ws::UpgradeRequest& request) {
          ws::UpgradeDecision decision;
          paths_.insert(request.path);
          if (request.path == "/ws") decision.session = std::make_unique<Session>(*this);
          return decision;
        });
    REQUIRE(server);
    server_ = *std::move(server);
  }
  void stop() { server_.reset(); }

  [[nodiscard]] Uri uri(const std::string& rest) const {
    auto uri = parse_uri("aiot://127.0.0.1:" + std::to_string(server_->bound().port()) + rest);
    REQUIRE(uri);
    return *std::move(uri);
  }
  [[nodiscard]] std::uint16_t port() const { return server_->bound().port(); }

  void send_all(const std::string& message) {
    for (auto* connection : clients_) connection->send_text(message);
  }

  /// What REST answers for a path (with its query), once told.
  std::map<std::string, std::pair<int, std::string>> answers_;
  bool silent_ = false;
  std::vector<ws::HttpRequest> requests_;
  std::vector<std::string> messages_;  ///< sent to each client that says new
  std::set<std::string> paths_;
  std::set<ws::WsConnection*> clients_;
  std::function<void()> joined_ = [] {};

 private:
  class Session final : public ws::WsSession {
   public:
    explicit Session(FakeBroker& broker) : broker_(broker) {}
    void opened(ws::WsConnection& connection) override { connection_ = &connection; }
    void received(std::string_view message, bool) override {
      CHECK(nlohmann::json::parse(message)["type"] == "new");
      broker_.clients_.insert(connection_);
      for (const auto& text : broker_.messages_) connection_->send_text(text);
      broker_.joined_();
    }
    void closed() override { broker_.clients_.erase(connection_); }

   private:
    FakeBroker& broker_;
    ws::WsConnection* connection_ = nullptr;
  };

  void serve(const ws::HttpRequest& request, ws::HttpResponder responder) {
    requests_.push_back(request);
    if (silent_) {
      held_.push_back(std::move(responder));
      return;
    }
    ws::HttpResponse response;
    const auto whole = request.path + (request.query.empty() ? "" : "?" + request.query);
    const auto found = answers_.find(whole);
    response.content_type = "application/json";
    response.status = found == answers_.end() ? 404 : found->second.first;
    response.body = found == answers_.end() ? R"({"type":"https://aiot/rejected","detail":"unknown"})"
                                            : found->second.second;
    responder.reply(std::move(response));
  }

  std::deque<ws::HttpResponder> held_;
  std::unique_ptr<ws::HttpServer> server_;
};

struct World {
  World() : loop(make_uv_loop()), broker(std::make_unique<FakeBroker>(*loop)) {
    client = relay::make_relay_client(*loop, "secret");
    deadline = loop->make_timer([this] {
      timed_out = true;
      loop->stop();
    });
  }
  ~World() {
    operation = Operation();
    client.reset();
    broker.reset();
    deadline.reset();
  }
  void run() {
    deadline->start(10s);
    loop->run();
    deadline->stop();
    REQUIRE_FALSE(timed_out);
  }
  Request request(const std::string& path, Method method = Method::get) const {
    Request made;
    made.uri = broker->uri(path);
    made.method = method;
    made.timeout = 5s;
    return made;
  }
  Result<Response> ask(Request request) {
    std::optional<Result<Response>> answer;
    operation = client->request(std::move(request), [&](Result<Response> given) {
      answer = std::move(given);
      loop->stop();
    });
    REQUIRE_FALSE(answer);
    run();
    REQUIRE(answer);
    return *std::move(answer);
  }

  std::unique_ptr<EventLoop> loop;
  std::unique_ptr<FakeBroker> broker;
  std::unique_ptr<Client> client;
  std::unique_ptr<Timer> deadline;
  Operation operation;
  bool timed_out = false;
};

/// Follows a URI and keeps what came as short texts: "n1/t=20" or "lost".
struct Follower {
  Follower(World& world, Request request) : world_(world) {
    operation_ = world.client->observe(
        std::move(request),
        [this](Client::Notification note) {
          if (const auto* value = std::get_if<Response>(&note)) {
            seen_.push_back(value->node + "/" + value->resource + "=" + value->payload);
            last_ = *value;
          } else {
            seen_.emplace_back(to_string(std::get<StreamEvent>(note).kind));
          }
          check();
        },
        [this](Result<> result) {
          failed_ = result.error();
          check();
        });
  }
  void until(std::function<bool()> done) {
    done_ = std::move(done);
    if (!done_()) world_.run();
    done_ = nullptr;
  }
  void until_seen(std::size_t count) {
    until([this, count] { return seen_.size() >= count; });
  }
  void check() {
    if (done_ && done_()) world_.loop->stop();
  }

  World& world_;
  std::vector<std::string> seen_;
  std::optional<Response> last_;
  std::optional<Error> failed_;
  std::function<bool()> done_;
  Operation operation_;
};

constexpr const char* kNode =
    R"({"uid":"n1","protocol":"CoAP","gateway":"paris","state":"live","address":"127.1.0.1",)"
    R"("resources":{"t":{"value":"20","time":"2026-01-31T12:00:00Z"},"led":{"value":"0"}}})";

}  // namespace

TEST_CASE("A read through a broker gives value, node and gateway, and sends the token") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1/resources/t"] = {
      200,
      R"({"node":"n1","gateway":"paris","resource":"t","value":"20°C","state":"live","protocol":"CoAP"})"};
  const auto answer = world.ask(world.request("/n1/t"));
  REQUIRE(answer);
  CHECK(answer->payload == "20°C");
  CHECK(answer->gateway == "paris");
  CHECK(answer->state == NodeState::live);
  CHECK(world.broker->requests_.at(0).header("authorization") == "Bearer secret");
}

TEST_CASE("A node that is not live is unreachable unless its last value will do") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1/resources/t"] = {200,
                                                            R"({"value":"20","state":"out","age_s":300})"};
  auto answer = world.ask(world.request("/n1/t"));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::unreachable);
  auto stale = world.request("/n1/t");
  stale.stale = true;
  answer = world.ask(stale);
  REQUIRE(answer);
  CHECK(answer->age == 300s);
}

TEST_CASE("A write tells who confirmed it, and a refused one its outcome and code") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1/resources/led?timeout=5s"] = {
      200, R"({"node":"n1","resource":"led","value":"1","code":"2.04","confirmed":"device","rtt_ms":1.5})"};
  auto put = world.request("/n1/led", Method::put);
  put.payload = "1";
  auto answer = world.ask(put);
  REQUIRE(answer);
  CHECK(answer->confirmed == "device");
  CHECK(answer->rtt == 1500us);
  CHECK(nlohmann::json::parse(world.broker->requests_.at(0).body)["value"] == "1");
  CHECK(world.broker->requests_.at(0).method == "PUT");

  world.broker->answers_["/api/v1/nodes/n1/resources/led?timeout=5s"] = {
      502,
      R"({"type":"https://aiot/rejected","detail":"the node answered 4.00","code":"4.00","outcome":"rejected"})"};
  answer = world.ask(put);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::rejected);
  CHECK(answer.error().native == 400);
  CHECK(answer.error().outcome == Outcome::rejected);
}

TEST_CASE("A write without an answer has an unknown outcome, one that never left was not sent") {
  World world;
  world.broker->silent_ = true;
  auto put = world.request("/n1/led", Method::put);
  put.timeout = 100ms;
  auto answer = world.ask(put);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::timeout);
  CHECK(answer.error().outcome == Outcome::unknown);

  put = world.request("/n1/led", Method::put);
  world.broker->stop();
  answer = world.ask(put);
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::unreachable);
  CHECK(answer.error().outcome == Outcome::not_sent);
}

TEST_CASE("What cannot go through a broker is refused on a later turn") {
  World world;
  const auto answer = world.ask(world.request("/n1/t", Method::fetch));
  REQUIRE_FALSE(answer);
  CHECK(answer.error().code == Errc::usage);
  CHECK(world.broker->requests_.empty());
}

TEST_CASE("A cancelled read is silent") {
  World world;
  world.broker->silent_ = true;
  bool called = false;
  world.operation = world.client->request(world.request("/n1/t"), [&](Result<Response>) { called = true; });
  world.operation.cancel();
  auto timer = world.loop->make_timer([&] { world.loop->stop(); });
  timer->start(50ms);
  world.run();
  CHECK_FALSE(called);
}

TEST_CASE("Discovery lists every page of nodes with their resources") {
  World world;
  world.broker->answers_["/api/v1/nodes?limit=500"] = {
      200, std::string(R"({"items":[)") + kNode + R"(],"next":"c 1"})"};
  world.broker->answers_["/api/v1/nodes?limit=500&cursor=c%201"] = {
      200, R"({"items":[{"uid":"n/2","protocol":"MQTT","state":"out","resources":{"a/b":{"value":1}}}]})"};
  std::vector<std::string> uris;
  std::optional<Result<>> ended;
  DiscoverRequest request;
  request.target = world.broker->uri("");
  world.operation = world.client->discover(
      request, [&](Discovered found) { uris.push_back(found.uri); },
      [&](Result<> result) {
        ended = std::move(result);
        world.loop->stop();
      });
  world.run();
  REQUIRE(ended);
  REQUIRE(*ended);
  const auto base = "aiot://127.0.0.1:" + std::to_string(world.broker->port());
  CHECK(uris == std::vector<std::string>{base + "/n1", base + "/n1/led", base + "/n1/t", base + "/n%2F2",
                                         base + "/n%2F2/a/b"});
}

TEST_CASE("Following a resource starts with its value and goes on with live ones") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1"] = {200, kNode};
  world.broker->messages_ = {
      R"({"type":"new","uid":"n1","dst":"7"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"20","dst":"7"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"21","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"led","data":"1","dst":"all"})",
      R"(garbage)",
      R"({"type":"update","uid":"n2","endpoint":"t","data":"5","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"21","dst":"all"})",
  };
  Follower follower(world, world.request("/n1/t"));
  follower.until_seen(3);
  CHECK(follower.seen_ == std::vector<std::string>{"n1/t=20", "n1/t=21", "n1/t=21"});
  CHECK(follower.last_->gateway == "paris");
  CHECK(follower.last_->protocol == "CoAP");
  CHECK(follower.last_->uri == world.broker->uri("/n1/t").text);
}

TEST_CASE("A pattern follows nodes that come later, with their own URIs and gateways") {
  World world;
  world.broker->answers_["/api/v1/nodes?limit=500"] = {200, std::string(R"({"items":[)") + kNode + "]}"};
  world.broker->answers_["/api/v1/nodes/n2"] = {
      200, R"({"uid":"n2","protocol":"CoAP","gateway":"rome","state":"live","resources":{}})"};
  Follower follower(world, world.request("/*/t"));
  world.broker->joined_ = [&] {
    world.broker->send_all(R"({"type":"new","uid":"n2","dst":"all"})");
    world.broker->send_all(R"({"type":"update","uid":"n2","endpoint":"t","data":"5","dst":"all"})");
  };
  follower.until_seen(2);
  CHECK(follower.seen_ == std::vector<std::string>{"n1/t=20", "n2/t=5"});
  CHECK(follower.last_->uri == world.broker->uri("/n2/t").text);
  // Its gateway is asked for meanwhile.
  auto again = world.loop->make_timer([&] {
    world.broker->send_all(R"({"type":"update","uid":"n2","endpoint":"t","data":"6","dst":"all"})");
  });
  again->start(50ms);
  follower.until_seen(3);
  CHECK(follower.last_->gateway == "rome");
}

TEST_CASE("A node that goes out is lost and one that returns resumed") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1"] = {200, kNode};
  world.broker->messages_ = {
      R"({"type":"out","uid":"n1","dst":"all"})",
      R"({"type":"out","uid":"n1","dst":"all"})",
      R"({"type":"new","uid":"n1","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"22","dst":"all"})",
  };
  Follower follower(world, world.request("/n1/t"));
  follower.until_seen(4);
  CHECK(follower.seen_ == std::vector<std::string>{"n1/t=20", "lost", "resumed", "n1/t=22"});
}

TEST_CASE("Following a pattern gives resources, not who the node is") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1"] = {
      200, R"({"uid":"n1","state":"live","resources":{"id":{"value":"7"},"t":{"value":"20"}}})"};
  world.broker->messages_ = {
      R"({"type":"new","uid":"n1","dst":"7"})",
      R"({"type":"update","uid":"n1","endpoint":"ip","data":"192.0.2.1","dst":"7"})",
      R"({"type":"update","uid":"n1","endpoint":"protocol","data":"CoAP","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"id","data":"8","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"21","dst":"all"})",
  };
  Follower follower(world, world.request("/n1/*"));
  follower.until_seen(4);
  CHECK(follower.seen_ == std::vector<std::string>{"n1/id=7", "n1/t=20", "n1/id=8", "n1/t=21"});
  CHECK(follower.last_->protocol == "CoAP");
}

TEST_CASE("What a node tells again as it starts anew is no news, a value that comes twice later is") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1"] = {200, kNode};
  world.broker->messages_ = {
      R"({"type":"update","uid":"n1","endpoint":"t","data":"20","dst":"7"})",
      R"({"type":"new","uid":"n1","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"20","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"20","dst":"all"})",
      R"({"type":"reset","uid":"n1","dst":"all"})",
      R"({"type":"update","uid":"n1","endpoint":"t","data":"21","dst":"all"})",
  };
  Follower follower(world, world.request("/n1/t"));
  follower.until_seen(3);
  CHECK(follower.seen_ == std::vector<std::string>{"n1/t=20", "n1/t=20", "n1/t=21"});
}

TEST_CASE("After the broker returns, following goes on and says what was missed") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1"] = {200, kNode};
  Follower follower(world, world.request("/n1/t"));
  bool joined = false;
  world.broker->joined_ = [&] {
    joined = true;
    follower.check();
  };
  follower.until([&] { return joined && follower.seen_.size() == 1; });
  const auto port = world.broker->port();
  world.broker = nullptr;
  follower.until_seen(2);
  world.broker = std::make_unique<FakeBroker>(*world.loop, port);
  world.broker->answers_["/api/v1/nodes/n1"] = {
      200, R"({"uid":"n1","gateway":"paris","state":"live","resources":{"t":{"value":"25"}}})"};
  world.broker->messages_ = {R"({"type":"update","uid":"n1","endpoint":"t","data":"25","dst":"8"})",
                             R"({"type":"update","uid":"n1","endpoint":"t","data":"26","dst":"all"})"};
  follower.until_seen(6);
  CHECK(follower.seen_ ==
        std::vector<std::string>{"n1/t=20", "lost", "resumed", "gap", "n1/t=25", "n1/t=26"});
}

TEST_CASE("Following what a broker does not have fails at once") {
  World world;
  {
    Follower follower(world, world.request("/nobody/t"));
    follower.until([&] { return follower.failed_.has_value(); });
    CHECK(follower.failed_->code == Errc::rejected);
  }
  world.broker->answers_["/api/v1/nodes/n1"] = {200, kNode};
  {
    Follower follower(world, world.request("/n1/nothing"));
    follower.until([&] { return follower.failed_.has_value(); });
    CHECK(follower.failed_->code == Errc::rejected);
    CHECK(follower.failed_->message.find("no resource nothing") != std::string::npos);
  }
  world.broker->answers_["/api/v1/nodes/n1"] = {
      200, R"({"uid":"n1","state":"out","resources":{"t":{"value":"20"}}})"};
  {
    Follower follower(world, world.request("/n1/t"));
    follower.until([&] { return follower.failed_.has_value(); });
    CHECK(follower.failed_->code == Errc::unreachable);
  }
  auto request = world.request("/n1/t");
  world.broker->stop();
  Follower follower(world, request);
  follower.until([&] { return follower.failed_.has_value(); });
  CHECK(follower.failed_->code == Errc::unreachable);
}

TEST_CASE("A follower may cancel from its own callback") {
  World world;
  world.broker->answers_["/api/v1/nodes/n1"] = {200, kNode};
  world.broker->messages_ = {R"({"type":"update","uid":"n1","endpoint":"t","data":"21","dst":"all"})",
                             R"({"type":"update","uid":"n1","endpoint":"t","data":"22","dst":"all"})"};
  std::vector<std::string> seen;
  auto timer = world.loop->make_timer([&] { world.loop->stop(); });
  world.operation = world.client->observe(
      world.request("/n1/t"),
      [&](Client::Notification note) {
        seen.push_back(std::get<Response>(note).payload);
        if (seen.size() < 2) return;
        world.operation.cancel();
        timer->start(50ms);
      },
      [](Result<>) { FAIL("it did not fail"); });
  world.run();
  CHECK(seen == std::vector<std::string>{"20", "21"});
}
