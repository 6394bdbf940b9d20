#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/expand.h"
#include "cli/options.h"
#include "cli/request_options.h"
#include "cli/request_run.h"
#include "cli/result_printer.h"

namespace aiot::cli {

namespace {

class GetCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "URI...",
        "Reads resources and prints their values. One target prints the payload and a newline, nothing else; "
        "several print URI, a tab and the value, in the order of the arguments. CBOR and SenML are shown as "
        "JSON.\n\n"
        "Through a broker (aiot://, or UID/RESOURCE with --broker) it prints the last value that the broker "
        "has, on a terminal with the node's state and the value's age behind it. A node that is not live is "
        "exit 3 unless --stale is given, a value older than --max-age is "
        "exit "
        "4, and --live reads the device itself. In such a URI * stands for any characters of one segment: "
        "all "
        "that match are read, as if each had been named; none is exit 5.\n\n"
        "On mqtt, mqtts and mqttsn it is the first message on the topic, retained or the next one, within "
        "--timeout.",
        {{"aiot get coap://[fd00::1]/temperature", "one value"},
         {"aiot --json get coap://192.0.2.7/.well-known/core", "with code, format and round-trip time"},
         {"aiot get --from targets.txt --parallel 64 --output csv", "many, as a table"},
         {"aiot get --broker ws://127.0.0.1:8000 n1/led", "through a broker"},
         {"aiot --json get --broker ws://127.0.0.1:8000 '*/temperature'", "every node's"},
         {"aiot get mqtt://192.0.2.1/node/n1/led", "what is retained, or the next message"},
         {"aiot get --out fw.bin coap://192.0.2.7/firmware", "the exact bytes, into a file"}},
        {"aiot-observe(1)", "aiot-uri(7)", "aiot-json(7)"}};
  }

  void configure(CLI::App& app) override {
    add_arguments(app, "URI", targets_,
                  "what to read: a URI, or UID/RESOURCE with --broker (* stands for any)", false);
    request_.add_reading(app);
    request_.add_qos(app);
    request_.add_common(app);
    request_.add_results(app);
    request_.add_many(app);
  }

  [[nodiscard]] bool has_csv() const override { return true; }

  int run(Context& context) override {
    auto request = request_.make(context, Method::get);
    if (!request) return context.fail(request.error());
    if (targets_.empty() && request_.from().empty()) {
      return context.fail(make_error(Errc::usage, "URI is missing; see 'aiot get --help'"));
    }
    auto targets = resolve_targets(context, targets_, request_.from());
    if (!targets) return context.fail(targets.error());
    if (const int refused = prepare_targets(context, "get", *targets); refused != kDone) return refused;
    const bool many = targets->size() > 1 || !request_.from().empty() || targets->front().is_pattern();
    ResultPrinter printer(context, request_, Method::get, many);
    if (auto checked = printer.check(); !checked) return context.fail(checked.error());
    printer.show_freshness();
    if (!expand_patterns(context, *targets)) return kDone;
    return RequestRun(context, std::move(*targets), std::move(*request), printer, request_.parallel()).run();
  }

 private:
  std::vector<std::string> targets_;
  RequestOptions request_;
};

}  // namespace

std::unique_ptr<Command> make_get_command() { return std::make_unique<GetCommand>(); }

}  // namespace aiot::cli
