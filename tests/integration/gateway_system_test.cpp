#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>

#include "core/ws/ws_client.h"
#include "daemon/broker/broker.h"
#include "daemon/simulator/simulator.h"
#include "integration/gateway_support.h"

extern char** environ;

using namespace aiot;
using namespace aiot::test;

namespace {

/// Another's program, ended with the test.
class Program {
 public:
  explicit Program(std::vector<std::string> arguments) {
    std::vector<char*> raw;
    for (auto& argument : arguments) raw.push_back(argument.data());
    raw.push_back(nullptr);
    REQUIRE(::posix_spawnp(&pid_, raw[0], nullptr, nullptr, raw.data(), environ) == 0);
  }
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;
  ~Program() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }

 private:
  pid_t pid_ = 0;
};

struct RunningBroker {
  RunningBroker(Stage& on, const std::string& folder, std::uint16_t port = 0) : stage(on) {
    broker::Options options;
    options.listen = *SocketAddress::parse("127.0.0.1:" + std::to_string(port));
    options.key_file = folder + "/keys";
    options.state_dir = folder;
    broker = broker::Broker::make(stage.loop(), std::move(options));
    auto started = broker->start();
    INFO((started ? "" : started.error().message));
    REQUIRE(started);
  }
  ~RunningBroker() {
    bool done = false;
    broker->stop(2s, [&](Result<>) { done = true; });
    stage.run_until([&] { return done; });
  }
  [[nodiscard]] std::string url() const { return "ws://" + broker->bound().text(); }
  ws::HttpClientResponse ask(const std::string& method, const std::string& path,
                             const std::string& body = "") {
    ws::HttpClientRequest request;
    request.method = method;
    request.path = path;
    request.body = body;
    if (!body.empty()) request.headers = {{"content-type", "application/json"}};
    std::optional<Result<ws::HttpClientResponse>> answer;
    auto operation =
        ws::http_request(stage.loop(), *ws::parse_endpoint(url()), std::move(request),
                         [&](Result<ws::HttpClientResponse> result) { answer = std::move(result); });
    REQUIRE(stage.run_until([&] { return answer.has_value(); }));
    INFO((*answer ? "" : answer->error().message));
    REQUIRE(*answer);
    return std::move(**answer);
  }
  Stage& stage;
  std::unique_ptr<broker::Broker> broker;
};

struct KeyFolder : TemporaryFolder {
  ~KeyFolder() { ::unlink((path + "/keys").c_str()); }
};

}  // namespace

TEST_CASE("A real broker hears a node, keeps it through a restart of its own, and writes to it") {
  Stage stage;
  const KeyFolder folder;
  auto broker = std::make_unique<RunningBroker>(stage, folder.path);
  const auto port = broker->broker->bound().port();
  gateway::Options options;
  options.broker_url = broker->url();
  options.key_file = folder.path + "/keys";
  RunningGateway running(stage, options, false);
  Device device(stage.loop(), "127.0.2.1", running.address);
  device.post("alive", "alive:n1");
  const auto known = [&](const std::string& value) {
    const auto answer = broker->ask("GET", "/api/v1/nodes/n1/resources/name");
    return answer.status == 200 && answer.body.find("\"" + value + "\"") != std::string::npos;
  };
  REQUIRE(stage.run_until([&] { return running.gateway->counters().nodes.discoveries == 1; }));
  REQUIRE(stage.run_until([&] { return running.gateway->counters().uplink.queued == 0; }));
  CHECK(known("lamp"));
  auto written = broker->ask("PUT", "/api/v1/nodes/n1/resources/led", R"({"value":"1"})");
  INFO(written.body);
  CHECK(written.status == 200);
  CHECK(device.resources["led"] == "1");

  broker.reset();
  device.post("server", "name:other");
  REQUIRE(stage.run_until([&] { return device.replies.size() == 2; }));
  CHECK(device.replies[1].code == coap::code(2, 4));
  broker = std::make_unique<RunningBroker>(stage, folder.path, port);
  REQUIRE(stage.run_until([&] { return running.gateway->counters().uplink.connected; }));
  REQUIRE(stage.run_until([&] { return running.gateway->counters().uplink.queued == 0; }));
  stage.run_for(100ms);
  CHECK(known("other"));
  written = broker->ask("PUT", "/api/v1/nodes/n1/resources/led", R"({"value":"0"})");
  CHECK(written.status == 200);
  const auto c = running.gateway->counters().uplink;
  CHECK(c.sent == c.acknowledged + c.queued + c.dropped);
}

TEST_CASE("Debian's CoAP server, named with --node, is read and observed") {
  Stage stage;
  FakeBroker broker(stage.loop());
  const Program server({"coap-server-notls", "-v", "0", "-A", "127.0.5.1", "-p", "5683"});
  gateway::Options options;
  options.broker_url = broker.url();
  options.nodes = {"coap://127.0.5.1"};
  RunningGateway running(stage, options);
  const auto times = [&] {
    return std::count_if(broker.log.begin(), broker.log.end(),
                         [](const std::string& line) { return line.find(" time=") != std::string::npos; });
  };
  REQUIRE(stage.run_until([&] { return times() >= 3; }, 30s));
  const auto joined = std::find_if(broker.log.begin(), broker.log.end(),
                                   [](const std::string& line) { return line.rfind("joined ", 0) == 0; });
  REQUIRE(joined != broker.log.end());
  CHECK(joined->find(" 127.0.5.1") != std::string::npos);
  const auto uid = joined->substr(7, 36);
  CHECK(uid[14] == '5');
  CHECK(broker.count("joined " + uid + " 127.0.5.1") == 1);
}

TEST_CASE("Thousands of nodes that join at once are all read while others post undisturbed") {
  Stage stage;
  FakeBroker broker(stage.loop());
  gateway::Options options;
  options.broker_url = broker.url();
  RunningGateway running(stage, options);
  REQUIRE(stage.run_until([&] { return broker.has("synced"); }));
  Device other(stage.loop(), "127.0.2.1", running.address);
  other.post("alive", "alive:other");
  REQUIRE(stage.run_until([&] { return broker.has("other name=lamp"); }));

  simulator::CoapOptions many;
  many.gateway = running.address;
  many.nodes = 1000;
  many.interval = 60s;
  many.resources = {"name", "temperature", "pressure", "led", "imu"};
  auto nodes = simulator::CoapNodes::make(stage.loop(), many);
  REQUIRE(nodes->start());
  std::size_t posts = 1;
  REQUIRE(stage.run_until(
      [&] {
        if (other.replies.size() == posts) {
          other.post("server", "t:" + std::to_string(posts));
          ++posts;
        }
        return running.gateway->counters().nodes.discoveries == 1001;
      },
      60s));
  REQUIRE(stage.run_until([&] { return running.gateway->counters().uplink.queued == 0; }, 30s));
  CHECK(running.gateway->counters().nodes.discoveries_failed == 0);
  CHECK(running.gateway->counters().nodes.nodes_live == 1001);
  for (const auto* uid : {"sim-0", "sim-500", "sim-999"}) {
    const std::string prefix = std::string(uid) + " ";
    const auto values = std::count_if(broker.log.begin(), broker.log.end(),
                                      [&](const std::string& line) { return line.rfind(prefix, 0) == 0; });
    CHECK(values >= 5);
  }
  CHECK(posts > 10);
}
