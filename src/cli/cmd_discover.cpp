#include <fmt/format.h>
#include <net/if.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/mqtt_options.h"
#include "cli/options.h"
#include "cli/output.h"
#include "cli/present.h"
#include "cli/psk_options.h"
#include "cli/request_run.h"
#include "cli/runner.h"
#include "cli/targets.h"
#include "core/base/text.h"

namespace aiot::cli {

namespace {

constexpr const char* kLocalBroker = "aiot://127.0.0.1:8000";

class DiscoverRun {
 public:
  DiscoverRun(Context& context, std::string interface, bool directory)
      : context_(context), runner_(context), interface_(std::move(interface)), directory_(directory) {}

  /// Without targets: everybody near.
  int everywhere(Client& coap, Client* broker) {
    multicast_ = true;
    ask(coap, std::nullopt, "multicast");
    if (broker != nullptr) {
      if (auto uri = parse_uri(kLocalBroker)) ask(*broker, *uri, "");
    }
    return finish();
  }

  int at(const std::vector<Target>& targets) {
    for (const Target& target : targets) ask(*target.client, target.uri, target.uri.text);
    return finish();
  }

 private:
  void ask(Client& client, std::optional<Uri> target, const std::string& name) {
    DiscoverRequest request;
    request.target = std::move(target);
    request.interface = interface_;
    request.resource_directory = directory_;
    request.timeout = context_.settings().timeout;
    const std::size_t index = operations_.size();
    ++open_;
    operations_.push_back(client.discover(
        std::move(request), [this](const Discovered& found) { print(found); },
        [this, index, name](const Result<void>& result) { done(index, name, result); }));
  }

  int finish() {
    const int status = runner_.run();
    operations_.clear();
    return status;
  }

  void print(const Discovered& found) {
    // The same host may answer on several links.
    const std::string line = json_line(discovered_object(found));
    if (!seen_.insert(line).second) return;
    ++found_;
    Output& output = context_.output();
    output.line(context_.json() ? line : discovered_text(found, output.is_terminal()));
  }

  void done(std::size_t index, const std::string& name, const Result<void>& result) {
    --open_;
    if (result) {
      tally_.succeeded();
    } else if (multicast_) {
      // Nobody at one of the places is no failure when somebody is at another.
      if (!name.empty()) first_error_ = result.error();
    } else {
      context_.fail(result.error(), name);
      tally_.failed(index, result.error().code);
    }
    if (open_ > 0) return;
    if (!multicast_) {
      runner_.finish(report_tally(context_, tally_, "targets"));
    } else if (found_ > 0 || !first_error_) {
      runner_.finish(kDone);
    } else {
      runner_.finish(context_.fail(*first_error_));
    }
  }

  Context& context_;
  Runner runner_;
  std::string interface_;
  bool directory_;
  bool multicast_ = false;
  std::vector<Operation> operations_;
  std::size_t open_ = 0;
  std::size_t found_ = 0;
  std::set<std::string> seen_;
  std::optional<Error> first_error_;
  Tally tally_;
};

class DiscoverCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "[TARGET...]",
        "Finds nodes and resources. Without a TARGET it asks by multicast CoAP on every link (224.0.1.187, "
        "ff02::fd, ff05::fd) and on loopback, and the broker at 127.0.0.1:8000 when there is one; what was "
        "asked goes to stderr. Multicast listens until --timeout, and exit 4 says that nobody answered.\n\n"
        "coap://HOST lists the resources of one host (its /.well-known/core) with their attributes; with "
        "--rd "
        "the host is asked as a resource directory (RFC 9176). aiot://HOST lists what a broker knows. "
        "mqtt://HOST listens at an MQTT broker until nothing new has come for 2 s: nodes by pyaiot's topics "
        "and by "
        "Home Assistant's discovery messages, and every other topic with a message, as a resource.\n\n"
        "mqttsn:// searches for MQTT-SN gateways (SEARCHGW to 225.1.1.1, ff02::1 and broadcast on every "
        "link, and "
        "to loopback) until --timeout; mqttsn://HOST asks one.",
        {{"aiot discover", "what is near?"},
         {"aiot discover --timeout 2s --interface lowpan0", "on one link, quickly"},
         {"aiot --json discover coap://192.0.2.7", "one host's resources"},
         {"aiot discover --rd coap://rd.example", "everything a directory lists"},
         {"aiot discover aiot://127.0.0.1", "everything a broker knows"},
         {"aiot discover mqttsn://", "MQTT-SN gateways near"},
         {"aiot discover mqtt://127.0.0.1", "nodes and topics at an MQTT broker"}},
        {"aiot-nodes(1)", "aiot-get(1)", "aiot-uri(7)"}};
  }

  void configure(CLI::App& app) override {
    add_arguments(app, "TARGET", targets_, "a host, as coap://HOST, or a broker, as aiot://HOST", false);
    add_text(app, "--interface", interface_, "ask by multicast on this network interface alone", "NAME")
        .environment("AIOT_INTERFACE");
    add_flag(app, "--rd", directory_, "ask TARGET as a resource directory");
    mqtt_.configure(app);
    psk_.configure(app);
  }

  int run(Context& context) override {
    mqtt_.apply(context);
    psk_.apply(context);
    if (!interface_.empty() && ::if_nametoindex(interface_.c_str()) == 0) {
      return context.fail(make_error(
          Errc::usage,
          fmt::format("--interface: there is no network interface '{}'", text::escape_controls(interface_))));
    }
    if (targets_.empty()) return everywhere(context);
    auto targets = resolve_targets(context, targets_, {});
    if (!targets) return context.fail(targets.error());
    if (const int refused = prepare_targets(context, "discover", *targets); refused != kDone) return refused;
    return DiscoverRun(context, interface_, directory_).at(*targets);
  }

 private:
  int everywhere(Context& context) {
    if (directory_) return context.fail(make_error(Errc::usage, "--rd needs the directory as TARGET"));
    auto coap = context.client("coap");
    if (!coap) return context.fail(coap.error());
    // A named interface means multicast alone.
    Client* broker = nullptr;
    if (interface_.empty()) {
      auto relay = context.client("aiot");
      if (!relay) return context.fail(relay.error());
      broker = *relay;
    }
    context.note(
        interface_.empty()
            ? fmt::format("asking CoAP multicast (224.0.1.187, ff02::fd, ff05::fd) on every link, CoAP on "
                          "loopback and the broker at 127.0.0.1:8000, for {}",
                          format_duration(context.settings().timeout))
            : fmt::format("asking CoAP multicast (224.0.1.187, ff02::fd, ff05::fd) on {}, for {}", interface_,
                          format_duration(context.settings().timeout)));
    return DiscoverRun(context, interface_, directory_).everywhere(**coap, broker);
  }

  std::vector<std::string> targets_;
  std::string interface_;
  bool directory_ = false;
  MqttOptions mqtt_;
  PskOptions psk_;
};

}  // namespace

std::unique_ptr<Command> make_discover_command() { return std::make_unique<DiscoverCommand>(); }

}  // namespace aiot::cli
