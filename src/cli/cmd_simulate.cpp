#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/runner.h"
#include "core/base/text.h"
#include "core/base/uri.h"
#include "daemon/simulator/simulator.h"

namespace aiot::cli {

namespace {

struct Protocol {
  std::string_view name;
  std::uint16_t port;  ///< of the gateway
};
constexpr Protocol kProtocols[] = {{"coap", 5683}, {"mqtt", 1883}, {"mqttsn", 1885}, {"ws", 8001}};

/// How often is looked whether all nodes have joined.
constexpr Duration kWatchJoin = std::chrono::milliseconds(20);

struct HostPort {
  std::string host;
  std::uint16_t port = 0;
};

/// "name", "name:port", "192.0.2.1:5683", "[::1]:5683", "::1".
Result<HostPort> parse_host_port(std::string_view text, std::uint16_t default_port) {
  const auto bad = [&] {
    return make_error(Errc::usage, fmt::format("--gateway: \"{}\" is not HOST:PORT", text));
  };
  HostPort result;
  result.port = default_port;
  std::string_view port;
  if (!text.empty() && text.front() == '[') {
    const auto close = text.find(']');
    if (close == std::string_view::npos) return bad();
    result.host = text.substr(1, close - 1);
    const auto rest = text.substr(close + 1);
    if (!rest.empty() && rest.front() != ':') return bad();
    port = rest.empty() ? rest : rest.substr(1);
    if (!rest.empty() && port.empty()) return bad();
  } else if (std::count(text.begin(), text.end(), ':') == 1) {
    result.host = text.substr(0, text.find(':'));
    port = text.substr(text.find(':') + 1);
    if (port.empty()) return bad();
  } else {
    result.host = text;
  }
  if (result.host.empty()) return bad();
  if (!port.empty()) {
    const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), result.port);
    if (error != std::errc() || end != port.data() + port.size() || result.port == 0) return bad();
  }
  return result;
}

Result<HostPort> parse_broker_url(const std::string& url) {
  const auto uri = parse_uri(url);
  if (!uri) return make_error(Errc::usage, "--broker-url: " + uri.error().message);
  if (uri->scheme != "mqtt" || !uri->tail.empty())
    return make_error(Errc::usage, fmt::format("--broker-url: \"{}\" is not mqtt://HOST[:PORT]", url));
  return HostPort{uri->zone.empty() ? uri->host : uri->host + '%' + uri->zone, uri->port};
}

std::string summary_of(const simulator::Counters& counters) {
  return fmt::format(
      "joined {}, alives {}, posts {} (acknowledged {}, refused {}, unanswered {}, skipped {}, repeated {}), "
      "requests served {}, writes {}, malformed {}, not sent {}",
      counters.joined, counters.alives_sent, counters.posts_sent, counters.posts_acknowledged,
      counters.posts_refused, counters.posts_unanswered, counters.posts_skipped, counters.retransmissions,
      counters.requests_served, counters.writes, counters.malformed, counters.send_failures);
}

class SimulateCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "PROTOCOL",
        "Runs virtual nodes that speak PROTOCOL (coap, mqtt, mqttsn or ws) as real ones do. Their uids are "
        "sim-0,\n"
        "sim-1 and so on.\n"
        "\n"
        "coap: each says alive to the gateway at its start and every 30 seconds, posts one changing value "
        "each\n"
        "interval, and answers requests on a CoAP server of its own: /.well-known/core, a GET of each\n"
        "resource, a PUT of those that take one. Each has a loopback address of its own, counted from "
        "--base,\n"
        "and port 5683 there, so that thousands run on one machine.\n"
        "\n"
        "mqtt: each connects to the broker of --broker-url and publishes at QoS 1: node/check every 30\n"
        "seconds, its resources and values when the gateway asks, one changing value each interval, and "
        "what\n"
        "was written.\n"
        "\n"
        "mqttsn: as RIOT's emcute, each connects once, subscribes to what the gateway says, registers "
        "before\n"
        "each message, and publishes at QoS 1: node/check every 30 seconds, its resources and values when\n"
        "asked, one changing value each interval, and what was written. With --sleep it sleeps between two\n"
        "values and fetches what waits for it.\n"
        "\n"
        "ws: each connects to the gateway's /node?uid=UID, tells all its values when asked and one changing\n"
        "value each interval, takes writes, and comes back when the connection is lost.\n"
        "\n"
        "Known resources are name, os, board, mcu, vendor, version, text, temperature, pressure, humidity,\n"
        "illuminance, light, battery, noise, co2, eco2, tvoc, uv, tsp, tlp, suit_state, dwnld, led, imu and\n"
        "position, and robot, ribot and js, which take any text; any other name is a number that changes.\n"
        "\n"
        "It runs until it is stopped or for --for, and says on standard error when all nodes have joined "
        "and,\n"
        "at the end, what was sent and answered. With --for, status 4 means that no node was answered, and "
        "8\n"
        "that some were not.",
        {{"aiot simulate coap --nodes 10", "ten nodes at the gateway on this machine"},
         {"aiot simulate coap --nodes 10000 --interval 1m --resources name,temperature,led --for 10m",
          "a load that ends"},
         {"aiot simulate mqtt --broker-url mqtt://192.0.2.1 --nodes 100", "MQTT nodes at a broker"},
         {"aiot simulate mqttsn --nodes 100 --sleep 30s", "sleeping nodes at an MQTT-SN gateway"},
         {"aiot simulate ws --gateway 192.0.2.1:8001 --nodes 1000", "WebSocket nodes"}},
        {"aiot-demo(1)", "aiot-serve-gateway(1)"}};
  }

  void configure(CLI::App& app) override {
    add_argument(app, "PROTOCOL", protocol_, "what the nodes speak: coap, mqtt, mqttsn or ws", true);
    add_text(app, "--gateway", gateway_,
             "the gateway's listener (default 127.0.0.1 and port 5683, 1885 or 8001)", "HOST:PORT");
    add_number(app, "--nodes", options_.nodes, "how many nodes (default 1)", 1, simulator::kMaxNodes);
    add_number(app, "--first", options_.first, "number of the first node's uid (default 0)", 0,
               1'000'000'000);
    add_duration(app, "--interval", options_.interval,
                 "time between two values of a node (default 5s); 0: none");
    add_text(app, "--resources", resources_, "resources of each node (default name,temperature,pressure,led)",
             "NAME,...");
    add_duration(app, "--for", for_, "stop after this time");
    add_text(app, "--broker-url", broker_url_, "mqtt: the broker (default mqtt://127.0.0.1:1883)", "URL");
    add_duration(app, "--sleep", sleep_, "mqttsn: nodes sleep for this time between two values");
    add_text(app, "--base", options_.base_address, "coap: address of the first node (default 127.1.0.1)",
             "ADDRESS");
    add_flag(app, "--confirmable", options_.confirmable,
             "coap: posts are confirmable and repeated until acknowledged");
    add_flag(app, "--boot-reset", options_.boot_reset,
             "coap: nodes say reset at their start, as after a boot");
  }

  int run(Context& context) override {
    const auto* protocol = std::find_if(std::begin(kProtocols), std::end(kProtocols),
                                        [&](const Protocol& known) { return known.name == protocol_; });
    if (protocol == std::end(kProtocols)) {
      return context.fail(make_error(
          Errc::usage, fmt::format("\"{}\" cannot be simulated; what can is: coap, mqtt, mqttsn, ws",
                                   text::escape_controls(protocol_))));
    }
    if (auto fits = check_flags(context); !fits) return context.fail(fits.error());
    const auto gateway =
        protocol_ == "mqtt" ? parse_broker_url(broker_url_) : parse_host_port(gateway_, protocol->port);
    if (!gateway) return context.fail(gateway.error());
    options_.resources.clear();
    for (const auto name : text::split(resources_, ',')) options_.resources.emplace_back(text::trim(name));

    Runner runner(context);
    auto& loop = context.loop();
    auto resolving =
        loop.resolve(gateway->host, gateway->port, [&](Result<std::vector<SocketAddress>> found) {
          if (!found) return runner.finish(context.fail(found.error()));
          if (const auto status = start(context, runner, *found)) runner.finish(*status);
        });
    auto status = runner.run();
    resolving.cancel();
    ending_.reset();
    watching_.reset();
    if (nodes_) {
      const auto counters = nodes_->counters();
      nodes_.reset();
      context.note(summary_of(counters));
      if (ran_out_) status = verdict(context, counters);
    }
    return status;
  }

 private:
  /// An option of another protocol is refused, not left out.
  [[nodiscard]] Result<> check_flags(const Context& context) const {
    static constexpr std::pair<const char*, std::string_view> kBound[] = {{"--broker-url", "mqtt"},
                                                                          {"--base", "coap"},
                                                                          {"--confirmable", "coap"},
                                                                          {"--boot-reset", "coap"},
                                                                          {"--sleep", "mqttsn"}};
    for (const auto& [flag, protocol] : kBound) {
      if (context.settings().has_flag(flag) && protocol_ != protocol)
        return make_error(Errc::usage, fmt::format("{} is for {}, not for {}", flag, protocol, protocol_));
    }
    if (protocol_ == "mqtt" && context.settings().has_flag("--gateway"))
      return make_error(Errc::usage, "MQTT nodes know the broker alone: --broker-url instead of --gateway");
    if (sleep_ && (*sleep_ < std::chrono::seconds(1) || *sleep_ > std::chrono::hours(18)))
      return make_error(Errc::usage, "--sleep: 1s to 18h");
    return {};
  }

  [[nodiscard]] std::unique_ptr<simulator::Simulation> make_nodes(EventLoop& loop) const {
    if (protocol_ == "coap") return simulator::CoapNodes::make(loop, options_);
    simulator::MessageOptions options;
    options.gateway = options_.gateway;
    options.nodes = options_.nodes;
    options.first = options_.first;
    options.interval = options_.interval;
    options.resources = options_.resources;
    options.sleep = sleep_.value_or(Duration::zero());
    if (protocol_ == "ws") return simulator::make_ws_nodes(loop, std::move(options));
    if (protocol_ == "mqtt") return simulator::make_mqtt_nodes(loop, std::move(options));
    return simulator::make_mqttsn_nodes(loop, std::move(options));
  }

  /// Opens the nodes; an exit status when that failed.
  std::optional<int> start(Context& context, Runner& runner, const std::vector<SocketAddress>& found) {
    // The gateway's address of the nodes' own family, if it has one; else the simulator says what is wrong.
    const bool six = options_.base_address.find(':') != std::string::npos;
    const auto fits = [&](const SocketAddress& address) {
      return protocol_ != "coap" || (address.family() == AF_INET6) == six;
    };
    const auto fitting = std::find_if(found.begin(), found.end(), fits);
    options_.gateway = fitting != found.end() ? *fitting : found.front();

    auto& loop = context.loop();
    const auto begin = loop.now();
    nodes_ = make_nodes(loop);
    if (const auto started = nodes_->start(); !started) {
      nodes_.reset();
      return context.fail(started.error());
    }
    const auto from = protocol_ == "coap" ? " from " + options_.base_address : std::string();
    context.note(fmt::format("ready: {} node{}{} (sim-{} ...) for the {} at {}", options_.nodes,
                             options_.nodes == 1 ? "" : "s", from, options_.first, peer(),
                             options_.gateway.text()));
    watching_ = loop.make_timer([this, &context, &loop, begin] {
      if (nodes_->counters().joined < options_.nodes) return watching_->start(kWatchJoin);
      context.note(fmt::format("all {} nodes joined after {} ms", options_.nodes,
                               (loop.now() - begin) / std::chrono::milliseconds(1)));
    });
    watching_->start(kWatchJoin);
    if (for_) {
      ending_ = loop.make_timer([this, &runner] {
        ran_out_ = true;
        runner.finish(kDone);
      });
      ending_->start(*for_);
    }
    return std::nullopt;
  }

  [[nodiscard]] std::string_view peer() const { return protocol_ == "mqtt" ? "broker" : "gateway"; }

  int verdict(Context& context, const simulator::Counters& counters) const {
    if (counters.joined >= options_.nodes) return kDone;
    if (counters.joined == 0) {
      return context.fail(make_error(Errc::timeout, fmt::format("no node was answered by the {} at {}",
                                                                peer(), options_.gateway.text())));
    }
    return context.fail(make_error(
        Errc::partial,
        fmt::format("{} of {} nodes were not answered by the {} at {}", options_.nodes - counters.joined,
                    options_.nodes, peer(), options_.gateway.text())));
  }

  std::string protocol_;
  std::string gateway_ = "127.0.0.1";
  std::string broker_url_ = "mqtt://127.0.0.1:1883";
  std::string resources_ = "name,temperature,pressure,led";
  std::optional<Duration> for_, sleep_;
  simulator::CoapOptions options_;
  std::unique_ptr<simulator::Simulation> nodes_;
  std::unique_ptr<Timer> watching_;
  std::unique_ptr<Timer> ending_;
  bool ran_out_ = false;
};

}  // namespace

std::unique_ptr<Command> make_simulate_command() { return std::make_unique<SimulateCommand>(); }

}  // namespace aiot::cli
