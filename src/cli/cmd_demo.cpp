#include <fmt/format.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <optional>
#include <utility>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/demo_mosquitto.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "core/base/text.h"
#include "core/loop/event_loop.h"
#include "daemon/broker/broker.h"
#include "daemon/gateway/gateway.h"
#include "daemon/service.h"
#include "daemon/simulator/simulator.h"
#include "daemon/wire/key_file.h"

namespace aiot::cli {

namespace {

namespace fs = std::filesystem;

/// A folder that goes with the object.
class TemporaryFolder {
 public:
  static Result<TemporaryFolder> make() {
    std::error_code error;
    auto pattern = (fs::temp_directory_path(error) / "aiot-demo-XXXXXX").string();
    if (error)
      return make_error(Errc::internal, "there is no folder for temporary files: " + error.message());
    if (::mkdtemp(pattern.data()) == nullptr) return errno_error("making the folder " + pattern, errno);
    return TemporaryFolder(pattern);
  }
  TemporaryFolder(TemporaryFolder&& other) noexcept : path_(std::exchange(other.path_, {})) {}
  TemporaryFolder& operator=(TemporaryFolder&&) = delete;
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  ~TemporaryFolder() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  explicit TemporaryFolder(std::string path) : path_(std::move(path)) {}
  std::string path_;
};

/// `word` as a shell reads it back.
std::string shell_word(const std::string& word) {
  const auto plain = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) || std::strchr("_-./:@%+=,", c);
  };
  if (!word.empty() && std::all_of(word.begin(), word.end(), plain)) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

/// What to type for this very program: "aiot" when the shell finds it so, else its path.
std::string own_command() {
  std::error_code error;
  const auto self = fs::read_symlink("/proc/self/exe", error);
  if (error) return "aiot";
  const auto* path = ::getenv("PATH");
  for (const auto folder : text::split(path == nullptr ? "" : path, ':')) {
    if (fs::equivalent(fs::path(folder) / "aiot", self, error) && !error) return "aiot";
  }
  const auto relative = self.lexically_relative(fs::current_path(error));
  if (!error && !relative.empty() && relative.begin()->string() != "..") {
    return shell_word((fs::path(".") / relative).string());
  }
  return shell_word(self.string());
}

class DemoCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "",
        "Runs the whole system in one process, as a first look: a broker with its dashboard, a gateway, a "
        "few "
        "virtual CoAP nodes and one each of WebSocket, MQTT-SN and, where there is a mosquitto for it to "
        "run, "
        "MQTT. Prints the dashboard's address and commands to try.\n"
        "\n"
        "All listens on loopback, on free ports unless --listen says otherwise; its state is in a temporary\n"
        "folder that is removed at the end. Ctrl-C stops it, with status 0.",
        {{"aiot demo", "start it, then open the address that it prints"},
         {"aiot demo --listen 127.0.0.1:8000 --nodes 100", "on a known port, with more nodes"}},
        {"aiot-simulate(1)", "aiot-serve-broker(8)", "aiot-serve-gateway(8)"}};
  }

  void configure(CLI::App& app) override {
    add_address(app, "--listen", listen_, "where on loopback the broker listens (default a free port)", 8000,
                false);
    add_number(app, "--nodes", nodes_wanted_, "how many virtual CoAP nodes (default 4)", 1, 10000);
    add_duration(app, "--interval", interval_, "time between two posts of a node (default 2s)");
    add_duration(app, "--for", for_, "stop after this time");
  }

  int run(Context& context) override {
    auto folder = TemporaryFolder::make();
    if (!folder) return context.fail(folder.error());
    if (const auto started = start(context.loop(), folder->path()); !started) {
      const auto status = context.fail(started.error());
      tear_down();
      return status;
    }
    // From within the loop: whoever reads it may send a signal at once.
    context.loop().post([this, &context] { tell(context); });
    std::unique_ptr<Timer> ending;
    if (for_) {
      ending = context.loop().make_timer([] { ::kill(::getpid(), SIGTERM); });
      ending->start(*for_);
    }
    Service service{context.loop(),
                    [this](Duration deadline, Completion<> done) { stop(deadline, std::move(done)); },
                    nullptr};
    const auto status = service.run("demo", {{"http", broker_->bound().text()}, {"coap", coap_.text()}});
    ending.reset();
    tear_down();
    return status;
  }

 private:
  Result<void> start(EventLoop& loop, const std::string& folder) {
    if (listen_ && !listen_->is_loopback()) {
      return make_error(Errc::usage,
                        "--listen: a demo makes its own keys and so listens on loopback alone; "
                        "aiot serve-gateway --standalone serves the network");
    }
    const auto key_file = folder + "/keys";
    if (auto keys = wire::create_key_file(key_file); !keys) return std::move(keys).error();

    broker::Options broker;
    broker.listen = listen_.value_or(*SocketAddress::parse("127.0.0.1:0"));
    broker.key_file = key_file;
    broker.state_dir = folder + "/broker";
    broker_ = broker::Broker::make(loop, broker);
    if (auto started = broker_->start(); !started) return started;

    gateway::Options gateway;
    gateway.name = "demo";
    gateway.site = "demo";
    gateway.broker_url = broker_url();
    gateway.key_file = key_file;
    gateway.state_dir = folder + "/gateway";
    gateway.coap = gateway.ws = gateway.mqttsn = *SocketAddress::parse("127.0.0.1:0");
    if (auto started = mosquitto_.start(folder); started) {
      gateway.mqtt.emplace();
      gateway.mqtt->host = mosquitto_.address().host();
      gateway.mqtt->port = mosquitto_.address().port();
    } else if (started.error().code != Errc::unreachable) {
      return started;
    }
    gateway_ = gateway::Gateway::make(loop, gateway);
    if (auto started = gateway_->start(); !started) return started;
    for (const auto& [name, address] : gateway_->listeners()) {
      if (name == "coap") coap_ = address;
      if (name == "ws") ws_ = address;
      if (name == "mqttsn") mqttsn_ = address;
    }
    if (auto started = start_nodes(loop); !started) return started;
    return start_others(loop);
  }

  /// One node of each other protocol.
  Result<void> start_others(EventLoop& loop) {
    simulator::MessageOptions options;
    options.first = nodes_wanted_;
    options.interval = interval_;
    options.resources = {"name", "temperature", "led"};
    const auto add = [&](auto make, const SocketAddress& at) {
      options.gateway = at;
      others_.push_back(make(loop, options));
      ++options.first;
      return others_.back()->start();
    };
    if (auto started = add(simulator::make_ws_nodes, ws_); !started) return started;
    if (auto started = add(simulator::make_mqttsn_nodes, mqttsn_); !started) return started;
    if (mosquitto_.address().empty()) return {};
    return add(simulator::make_mqtt_nodes, mosquitto_.address());
  }

  /// Another demo may have the first addresses: each tries its own thousand.
  Result<void> start_nodes(EventLoop& loop) {
    simulator::CoapOptions options;
    options.gateway = coap_;
    options.nodes = nodes_wanted_;
    options.interval = interval_;
    options.resources = {"name", "board", "temperature", "pressure", "humidity", "led", "imu"};
    constexpr int kTries = 16;
    for (int i = 0; i < kTries; ++i) {
      options.base_address = fmt::format("127.{}.0.1", 80 + i);
      nodes_ = simulator::CoapNodes::make(loop, options);
      auto started = nodes_->start();
      if (started) {
        first_node_ = options.base_address;
        return {};
      }
      nodes_.reset();
      if (started.error().code != Errc::unreachable || i == kTries - 1) return started;
    }
    return {};
  }

  /// Where a client on this machine reaches the broker.
  [[nodiscard]] std::string authority() const { return broker_->bound().text(); }
  [[nodiscard]] std::string broker_url() const { return "ws://" + authority(); }

  void tell(Context& context) const {
    const auto url = broker_url();
    const auto page = "http://" + authority() + "/";
    if (context.json()) {
      fmt::print(
          "{{\"event\":\"ready\",\"dashboard\":{},\"broker\":{},\"gateway\":{},\"node\":{},\"mqttsn\":{},"
          "\"mqtt\":{}}}\n",
          text::json_string(page), text::json_string(url), text::json_string("coap://" + coap_.text()),
          text::json_string("coap://" + first_node_), text::json_string("mqttsn://" + mqttsn_.text()),
          mosquitto_.address().empty() ? "null" : text::json_string("mqtt://" + mosquitto_.address().text()));
    } else {
      const auto aiot = own_command();
      fmt::print(
          "A broker, a gateway and {0} simulated CoAP node{1} are running, and one node each of WebSocket, "
          "MQTT-SN{6}.\n"
          "\n"
          "  Dashboard   {2}\n"
          "\n"
          "Try, in another shell:\n"
          "\n"
          "  {3} --broker {4} nodes\n"
          "  {3} --broker {4} get sim-0/temperature\n"
          "  {3} --broker {4} put sim-0/led 1\n"
          "  {3} --broker {4} observe '*/temperature'\n"
          "  {3} discover coap://{5}\n"
          "  {3} --json get coap://{5}/temperature\n",
          nodes_wanted_, nodes_wanted_ == 1 ? "" : "s", page, aiot, url, first_node_,
          mosquitto_.address().empty() ? " (for MQTT, install mosquitto)" : " and MQTT");
      if (!mosquitto_.address().empty())
        fmt::print("\n  {} observe 'mqtt://{}/node/#'\n", aiot, mosquitto_.address().text());
      fmt::print("  {} publish mqttsn://{}/greeting hello\n\nCtrl-C stops it.\n", aiot, mqttsn_.text());
    }
    std::fflush(stdout);
  }

  /// The nodes fall silent, the gateway says good-bye, then the broker goes.
  void stop(Duration deadline, Completion<> done) {
    nodes_.reset();
    others_.clear();
    gateway_->stop(deadline / 2,
                   [this, deadline, done = std::move(done)](const Result<>& /*stopped*/) mutable {
                     broker_->stop(deadline / 2, std::move(done));
                   });
  }

  void tear_down() {
    nodes_.reset();
    others_.clear();
    gateway_.reset();
    broker_.reset();
    mosquitto_.stop();
  }

  std::optional<SocketAddress> listen_;
  std::size_t nodes_wanted_ = 4;
  Duration interval_ = std::chrono::seconds(2);
  std::optional<Duration> for_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<gateway::Gateway> gateway_;
  std::unique_ptr<simulator::CoapNodes> nodes_;
  std::vector<std::unique_ptr<simulator::Simulation>> others_;
  DemoMosquitto mosquitto_;
  SocketAddress coap_, ws_, mqttsn_;
  std::string first_node_;
};

}  // namespace

std::unique_ptr<Command> make_demo_command() { return std::make_unique<DemoCommand>(); }

}  // namespace aiot::cli
