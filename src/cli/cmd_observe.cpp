#include <limits>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/observe_run.h"
#include "cli/options.h"
#include "cli/request_options.h"
#include "cli/result_printer.h"

namespace aiot::cli {

namespace {

class ObserveCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "URI...",
        "Follows resources and prints each value as it comes, until it is stopped, --count values have come "
        "or "
        "--for has passed. The first answer must come within --timeout, else it exits 3 or 4; after that it "
        "retries for ever and says so with events: lost, resumed, and gap when values were missed. With "
        "--json "
        "they are lines of their own among the values, otherwise they go to stderr.\n\n"
        "On mqtt, mqtts and mqttsn it subscribes: # and + stand for topics as there, $share/GROUP/FILTER "
        "shares the "
        "messages with others, --retained no leaves out what is retained.\n\n"
        "--poll asks again and again instead of observing, for resources that cannot be observed.\n\n"
        "--exec runs a command for each value instead of printing it, one at a time: the JSON line is on its "
        "standard input, and the fields are in AIOT_VALUE, AIOT_URI, AIOT_RESOURCE, AIOT_NODE, AIOT_NUMBER, "
        "AIOT_UNIT, AIOT_TIME and so on. The command itself is yours alone: text from the network never "
        "enters "
        "it. When it is slower than the values, the oldest of 1024 waiting ones are dropped, with a gap "
        "event. When --for is over, what still waits is dropped with a gap event too, and a command that "
        "runs on "
        "for a second is ended; so is one that runs when a signal ends aiot. A value with a NUL character or "
        "longer than 100 KB is not in AIOT_VALUE, only on standard input. AIOT_TOKEN is not passed on.",
        {{"aiot observe coap://[fd00::1]/temperature", "until Ctrl-C"},
         {"aiot --json observe --count 10 --for 1m coap://192.0.2.7/a coap://192.0.2.7/b",
          "ten values of both together, or exit 4 after a minute"},
         {"aiot observe 'mqtt://192.0.2.1/node/+/temperature'", "what nodes publish"},
         {"aiot observe --poll 30s coap://192.0.2.7/battery", "a resource that cannot be observed"},
         {"aiot observe --broker ws://127.0.0.1:8000 '*/temperature'", "every node's, through a broker"},
         {"aiot observe --exec 'logger -t temp \"$AIOT_VALUE\"' coap://192.0.2.7/t", "a command for each"}},
        {"aiot-get(1)", "aiot-uri(7)", "aiot-json(7)"}};
  }

  void configure(CLI::App& app) override {
    add_arguments(app, "URI", targets_,
                  "what to follow: a URI, or UID/RESOURCE with --broker (* stands for any)", false);
    add_number(app, "-n,--count", limits_.count, "stop after N values, all URIs together", 1,
               std::numeric_limits<std::size_t>::max());
    add_duration(app, "--for", limits_.duration, "stop after this time; exit 4 if --count was not reached");
    add_duration(app, "--poll", limits_.poll, "ask at this interval instead of observing");
    add_text(app, "--exec", limits_.exec, "run CMD with /bin/sh for each value instead of printing it",
             "CMD");
    request_.add_reading(app);
    request_.add_qos(app);
    add_choice(app, "--retained", retained_, "MQTT and MQTT-SN: also what is retained now (default yes)",
               {"yes", "no"});
    request_.add_common(app);
    request_.add_results(app);
    add_text(app, "--from", from_, "read URIs from FILE, one a line; - is standard input", "FILE|-");
  }

  [[nodiscard]] bool has_csv() const override { return true; }

  int run(Context& context) override {
    auto request = request_.make(context, Method::get);
    if (!request) return context.fail(request.error());
    request->retained = retained_ != "no";
    if (targets_.empty() && from_.empty()) {
      return context.fail(make_error(Errc::usage, "URI is missing; see 'aiot observe --help'"));
    }
    if (limits_.poll && *limits_.poll < kLeastPoll) {
      return context.fail(make_error(Errc::usage, "--poll must be at least 10ms"));
    }
    auto targets = resolve_targets(context, targets_, from_);
    if (!targets) return context.fail(targets.error());
    if (const int refused = prepare_targets(context, "observe", *targets); refused != kDone) return refused;
    const bool many = targets->size() > 1 || !from_.empty() || targets->front().is_pattern();
    ResultPrinter printer(context, request_, Method::get, many);
    if (auto checked = printer.check(); !checked) return context.fail(checked.error());
    return ObserveRun(context, std::move(*targets), std::move(*request), printer, limits_).run();
  }

 private:
  static constexpr Duration kLeastPoll = std::chrono::milliseconds(10);

  std::vector<std::string> targets_;
  std::string from_, retained_;
  ObserveRun::Limits limits_;
  RequestOptions request_;
};

}  // namespace

std::unique_ptr<Command> make_observe_command() { return std::make_unique<ObserveCommand>(); }

}  // namespace aiot::cli
