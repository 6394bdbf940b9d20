#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <iterator>
#include <optional>
#include <string_view>

#include "cli/arguments.h"
#include "cli/command.h"
#include "cli/config.h"
#include "cli/context.h"
#include "cli/doctor_broker.h"
#include "cli/doctor_machine.h"
#include "cli/doctor_peers.h"
#include "cli/doctor_uplink.h"
#include "cli/exit_status.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/runner.h"
#include "core/base/log.h"
#include "core/base/text.h"
#include "core/base/uri.h"
#include "core/loop/event_loop.h"
#include "daemon/gateway/gateway.h"
#include "daemon/wire/key_file.h"

namespace aiot::cli {

namespace {

// Where the package has things (docs/operations.md).
constexpr const char* kPackagedState = "/var/lib/aiot";
constexpr const char* kPackagedKeys = "/etc/aiot/keys";
constexpr const char* kPackagedToken = "/etc/aiot/token";
constexpr const char* kPackagedUsers = "/var/lib/aiot/broker/users";
constexpr const char *kLocalGateway = "127.0.0.1", *kUsualListener = "[::]";

constexpr std::string_view kChecks[] = {"configuration",   "clock",        "secrets",      "disk",
                                        "multicast",       "broker",       "broker.name",  "broker.port",
                                        "broker.tls",      "broker.ready", "broker.clock", "broker.token",
                                        "broker.gateways", "uplink",       "gateway",      "mqtt"};

class DoctorCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "[CHECK...]",
        "Looks at each hop between a device and a reader, and names the one that is broken, with what to do "
        "about "
        "it:\n\n"
        "configuration: the files, and what is unknown in them. clock: it is set, and kept. secrets: key, "
        "token and password files that others can write or read. disk: room for the state, in a place that "
        "can be "
        "written. multicast: CoAP's "
        "groups can be joined. broker.name, broker.port, broker.tls, broker.ready, broker.clock, "
        "broker.token "
        "and broker.gateways: the broker, as far as it can be reached. uplink: the broker admits this "
        "machine's gateway. gateway: it answers CoAP. mqtt: the MQTT broker takes the connection.\n\n"
        "What a gateway here is, its broker and its MQTT broker are taken from [serve-gateway] in the "
        "configuration, unless --broker or another option says otherwise. With CHECK only those are shown "
        "and "
        "counted; broker stands for all of broker.*.\n\n"
        "A check is ok, a warning, failed, or skipped because there is nothing to look at. The exit status "
        "is the one "
        "of the first that failed, 0 when none did. --json prints one object a check, --quiet only what "
        "failed.",
        {{"aiot doctor", "on a machine with a gateway or a broker"},
         {"aiot doctor --broker wss://iot.example --token-file paris.token broker", "the way to one broker"},
         {"aiot doctor --quiet broker.ready", "a health check"},
         {"aiot doctor --json | jq 'select(.status == \"failed\")'", "for a script"}},
        {"aiot-status(1)", "aiot-config(1)", "aiot.toml(5)"}};
  }

  void configure(CLI::App& app) override {
    add_arguments(app, "CHECK...", wanted_, "the checks to make (default all)", false);
    add_text(app, "--gateway", gateway_,
             "the gateway's CoAP address (default that of [serve-gateway], or 127.0.0.1)", "HOST[:PORT]");
    add_text(app, "--mqtt", mqtt_.url, "the MQTT broker (default that of [serve-gateway])",
             "mqtt[s]://HOST[:PORT]");
    add_text(app, "--key-file", key_file_, "key file to look at too (default $XDG_CONFIG_HOME/aiot/keys)",
             "FILE")
        .environment("AIOT_KEY_FILE");
    add_text(app, "--state-dir", state_dir_, "state directory to look at too (default the daemons')", "DIR")
        .environment("AIOT_STATE_DIR");
  }

  int run(Context& context) override {
    context_ = &context;
    for (const std::string& check : wanted_) {
      if (std::find(std::begin(kChecks), std::end(kChecks), check) == std::end(kChecks)) {
        return context.fail(make_error(
            Errc::usage,
            fmt::format("there is no check '{}'{}; see 'aiot doctor --help'", text::escape_controls(check),
                        did_you_mean(check, {std::begin(kChecks), std::end(kChecks)}))));
      }
    }
    report_ = [this](const Finding& finding) { print(finding); };
    // What reading a secret warns of is a finding here.
    if (wants("secrets") && context.settings().verbose == 0) log::set_level(log::Level::error);
    for (const ConfigEntry& entry : context.config().entries())
      is_gateway_ = is_gateway_ || entry.table == "serve-gateway";
    if (const std::string broker = configured("serve-gateway", "broker");
        !broker.empty() && context.settings().broker.empty()) {
      context.use_broker(broker);
      reads_broker_ = false;
    }
    check_machine();
    Runner runner(context);
    runner_ = &runner;
    next_ = context.loop().make_timer([this] { step(); });
    next_->start(Duration(0));
    const int status = runner.run();
    mqtt_probe_.reset();
    uplink_probe_.reset();
    gateway_probe_.cancel();
    broker_probe_.reset();
    next_.reset();
    return status;
  }

 private:
  /// Whether any check of `group` is asked for.
  [[nodiscard]] bool wants(const std::string& group) const {
    if (is_wanted(group, wanted_)) return true;
    for (const std::string& one : wanted_) {
      if (one.starts_with(group + ".")) return true;
    }
    return false;
  }

  [[nodiscard]] std::string configured(const char* table, const char* key) const {
    const ConfigEntry* entry = context_->config().find(table, key);
    return entry == nullptr || entry->values.empty() ? std::string() : entry->values.front();
  }

  void check_machine() {
    if (wants("configuration")) check_configuration(context_->config(), report_);
    if (wants("clock")) check_clock(context_->loop().wall_now(), report_);
    if (wants("secrets")) {
      check_secrets(context_->config(),
                    {key_file_.empty() ? wire::default_key_file() : key_file_,
                     context_->settings().token_file, kPackagedKeys, kPackagedToken, kPackagedUsers},
                    report_);
    }
    if (wants("disk")) {
      check_disk(state_dir_,
                 {configured("serve-broker", "state-dir"), configured("serve-gateway", "state-dir"),
                  kPackagedState, user_state_dir()},
                 report_);
    }
    if (wants("multicast")) check_multicast(context_->loop(), report_);
  }

  static std::string user_state_dir() {
    const char* home = std::getenv("HOME");
    const char* base = std::getenv("XDG_STATE_HOME");
    if (base != nullptr && base[0] == '/') return std::string(base) + "/aiot";
    return home == nullptr ? std::string() : std::string(home) + "/.local/state/aiot";
  }

  /// One hop over the network after the other; each calls this again through the timer.
  void step() {
    const auto done = [this] { next_->start(Duration(0)); };
    answered_ = false;
    switch (step_++) {
      case 0:
        if (!wants("broker") || context_->settings().broker == "off") return done();
        broker_probe_ = BrokerProbe::start(*context_, reads_broker_, report_, done);
        return;
      case 1: return wants("uplink") ? ask_uplink(done) : done();
      case 2: return wants("gateway") ? ask_gateway(done) : done();
      case 3: return wants("mqtt") ? ask_mqtt(done) : done();
      default: runner_->finish(failed_ ? exit_status(*failed_) : kDone);
    }
  }

  /// By what the gateway here proves itself: as configured, else where the package has it, else the user's
  /// keys.
  [[nodiscard]] UplinkTarget uplink_target() const {
    UplinkTarget target;
    target.name = configured("serve-gateway", "name");
    if (target.name.empty()) target.name = gateway::default_name();
    target.key_file = configured("serve-gateway", "key-file");
    target.token_file = configured("serve-gateway", "token-file");
    if (!wanted_.empty() && !context_->settings().token_file.empty())
      target.token_file = context_->settings().token_file;
    if (target.token_file.empty() && target.key_file.empty()) {
      target.key_file = key_file_;
      for (const std::string& usual : {std::string(kPackagedKeys), wire::default_key_file()})
        if (target.key_file.empty() && ::access(usual.c_str(), F_OK) == 0) target.key_file = usual;
      if (key_file_.empty() && ::access(kPackagedToken, F_OK) == 0) target.token_file = kPackagedToken;
    }
    return target;
  }

  void ask_uplink(UniqueFunction<void()> done) {
    if ((!is_gateway_ && wanted_.empty()) || context_->settings().broker == "off") {
      report_(Finding::skipped("uplink", "no gateway with a broker is configured here"));
      return done();
    }
    // The gateway's own broker, which the one that readers here have at the top of the file may not be.
    if (const std::string own = configured("serve-gateway", "broker");
        !own.empty() && own != context_->settings().broker && !context_->settings().has_flag("--broker")) {
      context_->use_broker(own);
      broker_failed_ = false;
    }
    if (broker_failed_) {
      report_(Finding::skipped("uplink", "the broker is not reached"));
      return done();
    }
    const UplinkTarget target = uplink_target();
    const std::string& proof = target.token_file.empty() ? target.key_file : target.token_file;
    if (proof.empty()) {
      report_(Finding::skipped("uplink", "neither a token nor keys of a gateway are here"));
      return done();
    }
    if (::access(proof.c_str(), R_OK) != 0 && errno == EACCES) {
      report_(Finding::skipped("uplink", fmt::format("{} is not for this user: ask as root", proof)));
      return done();
    }
    uplink_probe_ = UplinkProbe::start(*context_, target, report_, std::move(done));
  }

  void ask_gateway(UniqueFunction<void()> done) {
    const std::string listener = configured("serve-gateway", "coap");
    const bool expected = !gateway_.empty() || !wanted_.empty() || is_gateway_;
    if (gateway_.empty() && listener == "off") {
      report_(Finding::skipped("gateway", "its CoAP listener is off"));
      return done();
    }
    std::string host = gateway_;
    if (host.empty()) {
      auto address = SocketAddress::parse(listener.empty() ? kUsualListener : listener, default_port("coap"));
      if (!address) {
        report_(Finding::failed("gateway", address.error(), "correct coap in [serve-gateway]"));
        return done();
      }
      host = fmt::format("{}:{}", address->is_any() ? kLocalGateway : address->uri_host(), address->port());
    }
    gateway_probe_ = probe_gateway(*context_, host, expected, report_, std::move(done));
  }

  void ask_mqtt(UniqueFunction<void()> done) {
    if (mqtt_.url.empty()) {
      mqtt_.url = configured("serve-gateway", "mqtt");
      mqtt_.user = configured("serve-gateway", "mqtt-user");
      mqtt_.password_file = configured("serve-gateway", "mqtt-password-file");
      mqtt_.ca_file = configured("serve-gateway", "mqtt-ca");
      mqtt_.cert_file = configured("serve-gateway", "mqtt-cert");
      mqtt_.key_file = configured("serve-gateway", "mqtt-key");
    } else {
      const auto& given = context_->settings().tls;
      mqtt_.ca_file = given.ca;
      mqtt_.cert_file = given.cert;
      mqtt_.key_file = given.key;
    }
    if (mqtt_.url.empty() || mqtt_.url == "off") {
      report_(Finding::skipped("mqtt", "no MQTT broker is configured"));
      return done();
    }
    mqtt_probe_ = MqttProbe::start(*context_, mqtt_, report_, std::move(done));
  }

  void print(const Finding& finding) {
    if (finding.status == Finding::Status::failed && finding.check.starts_with("broker"))
      broker_failed_ = true;
    if (is_wanted(finding.check, wanted_)) {
      answered_ = true;
    } else if (answered_ || finding.status != Finding::Status::failed) {
      return;
    }  // else a hop before the one that was asked for is broken, which is the answer
    if (finding.status == Finding::Status::failed && !failed_) failed_ = finding.code;
    if (context_->settings().quiet && finding.status != Finding::Status::failed) return;
    Output& output = context_->output();
    output.line(context_->json() ? finding_json(finding) : finding_text(finding, colours_on(STDOUT_FILENO)));
  }

  std::vector<std::string> wanted_;
  std::string gateway_, key_file_, state_dir_;
  MqttTarget mqtt_;
  Context* context_ = nullptr;
  Runner* runner_ = nullptr;
  Report report_;
  std::unique_ptr<Timer> next_;
  std::unique_ptr<BrokerProbe> broker_probe_;
  std::unique_ptr<UplinkProbe> uplink_probe_;
  std::unique_ptr<MqttProbe> mqtt_probe_;
  Operation gateway_probe_;
  int step_ = 0;
  bool is_gateway_ = false;   ///< one is configured here
  bool reads_broker_ = true;  ///< the broker is more than that of this machine's gateway
  bool broker_failed_ = false;
  bool answered_ = false;  ///< in this step, a check that was asked for
  std::optional<Errc> failed_;
};

}  // namespace

std::unique_ptr<Command> make_doctor_command() { return std::make_unique<DoctorCommand>(); }

}  // namespace aiot::cli
