#include <fmt/format.h>

#include <memory>
#include <utility>
#include <vector>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/daemon_options.h"
#include "cli/limit_options.h"
#include "cli/listener_options.h"
#include "cli/options.h"
#include "core/base/text.h"
#include "core/base/uri.h"
#include "core/loop/event_loop.h"
#include "core/ws/ws_client.h"
#include "daemon/broker/broker.h"
#include "daemon/gateway/gateway.h"
#include "daemon/service.h"

namespace aiot::cli {

namespace {

constexpr const char* kDefaultBroker = "ws://127.0.0.1:8000";

constexpr std::uint16_t kMetricsPort = 9100;
constexpr Duration kLongestSync = std::chrono::minutes(1);
constexpr std::size_t kMaxName = 128;  ///< of a gateway and a site, docs/protocol.md

Result<void> check_name(const std::string& name) {
  if (!name.empty() && name.size() <= kMaxName && text::escape_controls(name) == name) return {};
  return make_error(Errc::usage,
                    fmt::format("'{}' is no name: 1 to {} bytes of text without control characters",
                                text::escape_controls(name.substr(0, kMaxName)), kMaxName));
}

Result<void> check_time(Duration time) {
  if (time > Duration(0)) return {};
  return make_error(Errc::usage, "with no time at all every node would be out");
}

/// "PATTERN=2h"
Result<std::pair<std::string, Duration>> parse_max_time_for(const std::string& text) {
  const auto bad = [&](const std::string& why) {
    return make_error(Errc::usage, fmt::format("'{}': {}", text::escape_controls(text), why));
  };
  const std::size_t equals = text.rfind('=');
  if (equals == std::string::npos || equals == 0) return bad("it is not PATTERN=DURATION");
  auto duration = parse_duration(text.substr(equals + 1));
  if (!duration) return bad(duration.error().message);
  if (auto good = check_time(*duration); !good) return bad(good.error().message);
  return std::pair(text.substr(0, equals), *duration);
}

/// "always", or a duration; 0 is always.
Result<Duration> parse_sync(const std::string& text) {
  if (text == "always") return Duration(0);
  auto duration = parse_duration(text);
  if (!duration) return make_error(Errc::usage, duration.error().message + ", or 'always'");
  if (*duration > kLongestSync) return make_error(Errc::usage, "at most 1m may be lost in a power cut");
  return duration;
}

/// Where this process's own broker is reached: an any-address is listening on loopback too.
std::string own_broker_url(const SocketAddress& bound, bool tls) {
  const char* scheme = tls ? "wss" : "ws";
  if (!bound.is_any()) return fmt::format("{}://{}", scheme, bound.text());
  return fmt::format("{}://{}:{}", scheme, bound.family() == AF_INET6 ? "[::1]" : "127.0.0.1", bound.port());
}

class ServeGatewayCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "",
        "Runs the gateway: it speaks the devices' protocols, knows the nodes and tells a broker about them. "
        "It "
        "dials out to the broker, so nothing of the site is exposed; while the broker is away it tries again "
        "with growing pauses. What it acknowledges to a node is in its journal first: it survives a crash, "
        "and goes to the broker, in order and with its time, however long that was away.\n\n"
        "Nodes announce themselves with POST /alive or register with POST /rd (RFC 9176), or are named with "
        "--node. A node that is silent for --max-time is out.\n\n"
        "--state-dir holds the journal and the node table, which survive a restart and a crash. Each gateway "
        "needs its own: a second one on the same directory ends with status 1. The journal is synced to the "
        "disk every --sync, so a power cut loses no more than that; with --sync always an acknowledgement "
        "waits for the disk. Beyond --journal-size or --journal-age its oldest entries are dropped, counted "
        "and reported. While the disk is full nodes are answered 5.03, and only the latest values are passed "
        "on.\n\n"
        "Gateways of one --site hand nodes over to each other: when the one that has a node disconnects, has "
        "told that it is out, or was silent on it for 60 seconds. A node of another site is refused until it "
        "is "
        "forgotten at the broker.\n\n"
        "--coaps opens a listener on DTLS and TLS (CoAP's coaps and coaps+tcp) for nodes that have a key of "
        "--coaps-psk-file, or a certificate by --coaps-ca. The gateway speaks to such a node over the "
        "session "
        "that the node has opened, never otherwise, and its uid stays with its credential: whoever says it "
        "is "
        "that node and has another, or none, is refused. SIGHUP reads keys and certificates again, and ends "
        "the sessions of nodes that have lost theirs.\n\n"
        "With --ws-tokens-file each WebSocket node has to send a token when it connects (Authorization: "
        "Bearer TOKEN), and its id is the one beside that in the file; the uid stays with the token. With "
        "--ws-cert that listener speaks wss alone.\n\n"
        "--standalone runs the broker and its dashboard in the same process and takes serve-broker's "
        "options; without any user it tells a link, good once, with which the first one is made, and beyond "
        "loopback "
        "nobody else gets in until then. --broker off runs it without any broker. "
        "The ready line on stderr names every bound address. SIGTERM drains and exits 0 within 5 seconds.",
        {{"aiot serve-gateway --broker wss://iot.example --token-file paris.token --name paris", "at a site"},
         {"aiot serve-gateway --standalone", "everything on one machine"},
         {"aiot serve-gateway --coap [fd00::1]:5683 --allow fd00::/64 --max-time 5m",
          "one network, slow nodes"},
         {"aiot serve-gateway --coaps [::]:5684 --coaps-psk-file /etc/aiot/node-keys", "nodes on DTLS alone"},
         {"aiot serve-gateway --max-time-for 'door-*=2h'", "nodes that sleep"}},
        {"aiot-serve-broker(8)", "aiot-keys(1)", "aiot.toml(5)"}};
  }

  void configure(CLI::App& app) override {
    listeners_.add(app);
    name_option_ = add_text(app, "--name", name_,
                            "name of the gateway, unique at the broker (default the host's name)", "NAME");
    name_option_.environment("AIOT_NAME").check(check_name);
    site_option_ = add_text(app, "--site", site_,
                            "site, shared by gateways that share nodes (default the name)", "NAME");
    site_option_.check(check_name);
    add_duration(app, "--max-time", options_.max_time, "a node silent for this long is out (default 120s)");
    add_texts(app, "--max-time-for", max_time_for_, "another --max-time for uids that match, as 'PATTERN=2h'",
              "PATTERN=DURATION")
        .check(parses<parse_max_time_for>);
    add_texts(app, "--node", options_.nodes, "a node that does not announce itself", "coap://HOST")
        .check(parses<parse_uri>);
    add_flag(
        app, "--trust-first-use", options_.trust_first_use,
        "a uid, and an MQTT-SN client id, stays with the address that used it first; another is refused and "
        "told as uid_conflict");
    add_texts(app, "--release", options_.release,
              "uids and client ids that match may have a new address since the last run (--trust-first-use), "
              "or another or no "
              "credential",
              "PATTERN");
    add_texts(app, "--allow", options_.allow,
              "only nodes of this network (default everyone who reaches the port)", "CIDR")
        .check(check_network);
    add_text(
        app, "--sync", sync_,
        "how often the journal is synced to the disk; always: before each acknowledgement (default 100ms)",
        "DURATION|always")
        .check(parses<parse_sync>);
    add_size(app, "--journal-size", options_.journal_bytes, "bound of the journal, oldest out (default 256M)",
             1024UL * 1024);
    add_duration(app, "--journal-age", options_.journal_age,
                 "what the broker has not taken after this time is dropped (default 7d)");
    add_number(app, "--max-nodes", options_.max_nodes,
               "nodes, live and remembered (default 100000); more are refused and counted", 1, 1'000'000);
    add_number(
        app, "--node-rate", node_rate_,
        "updates a second of one node, ten seconds' worth at once (default 100; 0: any number); more are "
        "answered 4.29, on other protocols dropped, and counted",
        0, 1'000'000);
    add_address(app, "--metrics", options_.metrics, "serve /metrics for Prometheus here (default nowhere)",
                kMetricsPort, true);
    daemon_.add_common(app);
    add_flag(app, "--standalone", standalone_, "run the broker and its dashboard in this process too");
    const auto own = option_names(app).size();
    daemon_.add_broker(app);
    broker_options_ = option_names(app);
    broker_options_.erase(broker_options_.begin(),
                          broker_options_.begin() + static_cast<std::ptrdiff_t>(own));
  }

  int run(Context& context) override {
    daemon_.set_up_log(context);
    if (auto ready = fill(context); !ready) return context.fail(ready.error());
    if (standalone_) {
      if (auto started = start_broker(context); !started) return context.fail(started.error());
    }
    gateway_ = gateway::Gateway::make(context.loop(), std::move(options_));
    if (auto started = gateway_->start(); !started) return context.fail(started.error());
    std::vector<std::pair<std::string, std::string>> listeners;
    for (const auto& [name, address] : gateway_->listeners()) listeners.emplace_back(name, address.text());
    if (broker_) listeners.emplace_back(daemon_.broker_scheme(), broker_->bound().text());
    if (broker_ && !broker_->legacy_bound().empty())
      listeners.emplace_back("legacy", broker_->legacy_bound().text());
    Service service{context.loop(),
                    [this](Duration deadline, Completion<> done) { stop(deadline, std::move(done)); },
                    [this] {
                      gateway_->reload();
                      if (broker_) broker_->reload();
                    }};
    return service.run("serve-gateway", listeners);
  }

 private:
  Result<void> fill(Context& context) {
    if (standalone_ && context.settings().has_flag("--broker")) {
      return make_error(Errc::usage,
                        "--standalone runs a broker of its own; leave out either it or --broker");
    }
    for (const std::string& option : broker_options_) {
      // --insecure is for --metrics, too.
      if (!standalone_ && option != "--insecure" && context.settings().has_flag(option))
        return make_error(Errc::usage, fmt::format("{} is the broker's and needs --standalone", option));
    }
    if (auto filled = listeners_.fill(options_); !filled) return filled;
    options_.node_rate = rate_of(node_rate_);
    options_.name = name_option_.given() ? name_ : gateway::default_name();
    options_.site = site_option_.given() ? site_ : options_.name;
    // The host's own, else it was looked at.
    if (auto good = check_name(options_.name); !good)
      return make_error(Errc::usage, fmt::format("--name: {}", good.error().message));
    if (auto good = check_time(options_.max_time); !good)
      return make_error(Errc::usage, fmt::format("--max-time: {}", good.error().message));
    for (const std::string& text : max_time_for_) options_.max_time_for.push_back(*parse_max_time_for(text));
    if (auto filled = fill_journal(); !filled) return filled;
    if (options_.metrics && !options_.metrics->is_loopback() && !daemon_.insecure()) {
      return make_error(Errc::usage,
                        fmt::format("--metrics {}: everyone there could read it; let it listen on loopback, "
                                    "or accept it with --insecure",
                                    options_.metrics->text()));
    }
    auto dir = daemon_.state_dir();
    if (!dir) return dir.error();
    options_.state_dir = *dir;
    return standalone_ ? Result<void>() : fill_uplink(context);
  }

  Result<void> fill_journal() {
    if (!sync_.empty()) options_.sync = *parse_sync(sync_);
    return options_.journal_age > Duration(0)
               ? Result<void>()
               : make_error(Errc::usage, "--journal-age: with no time at all nothing would be kept");
  }

  Result<void> fill_uplink(Context& context) {
    if (context.settings().broker == "off") return {};  // no uplink: a gateway for this network alone
    auto url = context.broker_url();
    if (!url) return url.error();
    if (url->empty()) url = std::string(kDefaultBroker);
    if (auto endpoint = ws::parse_endpoint(*url); !endpoint) return endpoint.error();
    options_.broker_url = *url;
    auto token = context.broker_token();
    if (!token) return token.error();
    options_.token = *token;
    options_.broker_tls = context.broker_tls();
    if (options_.token.empty() || daemon_.key_file_given()) options_.key_file = daemon_.key_file();
    return {};
  }

  Result<void> start_broker(Context& context) {
    auto options = daemon_.broker_options();
    if (!options) return options.error();
    options_.key_file = options->key_file;
    options->access.setup_link = true;
    const std::string certificate = options->tls_cert;
    broker_ = broker::Broker::make(context.loop(), std::move(*options));
    if (auto started = broker_->start(); !started) return started;
    options_.broker_url = own_broker_url(broker_->bound(), !certificate.empty());
    // Dialled by its address, which need not stand in its certificate.
    if (!certificate.empty()) options_.broker_tls = {certificate, {}, {}, true};
    return {};
  }

  /// The gateway first: its good-bye goes through the broker.
  void stop(Duration deadline, Completion<> done) {
    if (!broker_) return gateway_->stop(deadline, std::move(done));
    stopped_ = std::move(done);
    gateway_->stop(deadline / 2, [this, deadline](const Result<void>&) {
      broker_->stop(deadline / 2, [this](Result<void> result) { stopped_(std::move(result)); });
    });
  }

  gateway::Options options_;
  ListenerOptions listeners_;
  OptionHandle name_option_, site_option_;
  std::string name_, site_;
  std::vector<std::string> max_time_for_;
  std::string sync_;
  std::size_t node_rate_ = 100;
  bool standalone_ = false;
  std::vector<std::string> broker_options_;  ///< those of --standalone alone
  DaemonOptions daemon_;
  Completion<> stopped_;
  std::unique_ptr<broker::Broker> broker_;
  std::unique_ptr<gateway::Gateway> gateway_;
};

}  // namespace

std::unique_ptr<Command> make_serve_gateway_command() { return std::make_unique<ServeGatewayCommand>(); }

}  // namespace aiot::cli
