#include <fmt/format.h>
#include <unistd.h>

#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/files.h"
#include "cli/line_reader.h"
#include "cli/options.h"
#include "cli/request_options.h"
#include "cli/request_run.h"
#include "cli/result_printer.h"

namespace aiot::cli {

namespace {

/// Publishes the lines of standard input in their order, one at a time.
class LineRun {
 public:
  LineRun(Context& context, Target target, Request request, ResultPrinter& printer)
      : context_(context),
        runner_(context),
        target_(std::move(target)),
        request_(std::move(request)),
        printer_(printer),
        reader_(
            context.loop(), STDIN_FILENO, [this](std::string line) { send(std::move(line)); },
            [this](const Result<void>& end) { ended(end); }) {}

  int run() {
    reader_.next();
    const int status = runner_.run();
    operation_.cancel();
    return status;
  }

 private:
  void send(std::string line) {
    ++number_;
    Request request = request_;
    request.uri = target_.uri;
    request.payload = std::move(line);
    operation_ = target_.client->request(std::move(request),
                                         [this](Result<Response> result) { answered(std::move(result)); });
  }

  void answered(Result<Response> result) {
    if (result) {
      tally_.succeeded();
      printer_.response(*result);
    } else {
      Error error = std::move(result).error();
      const Errc code = error.code;
      error.message = fmt::format("line {}: {}", number_, error.message);
      context_.fail(with_outcome(std::move(error), request_.method), target_.uri.text);
      tally_.failed(number_, code);
    }
    reader_.next();
  }

  void ended(const Result<void>& end) {
    if (!end) {
      runner_.finish(fail_unsent(context_, end.error(), {target_}));
    } else {
      runner_.finish(report_tally(context_, tally_, "messages"));
    }
  }

  Context& context_;
  Runner runner_;
  Target target_;
  Request request_;
  ResultPrinter& printer_;
  LineReader reader_;
  Operation operation_;
  Tally tally_;
  std::size_t number_ = 0;
};

class PublishCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "URI [VALUE]",
        "Publishes a message. On coap and coap+tcp it is a POST. VALUE is as for put: the argument, - for "
        "standard input, @FILE for a file, none for an empty message. With --lines each line of standard "
        "input "
        "is a message of its own, without its LF or CRLF, sent in order, the next one when the last is "
        "acknowledged; exit 8 says "
        "that "
        "some were not.\n\n"
        "Brokers are refused: aiot put writes to a node through one.",
        {{"aiot publish coap://[::1]/server temperature:23", "one message"},
         {"sensor | aiot publish --lines coap://192.0.2.1/server", "one a line, as they come"}},
        {"aiot-post(1)", "aiot-uri(7)"}};
  }

  void configure(CLI::App& app) override {
    add_argument(app, "URI", target_, "where to", true);
    value_option_ = add_argument(app, "VALUE", value_,
                                 "the message: a text, - for standard input, @FILE for a file", false);
    add_flag(app, "--lines", lines_, "publish each line of standard input as a message");
    add_choice(app, "--qos", qos_, "MQTT and MQTT-SN: quality of service", {"0", "1", "2"});
    add_flag(app, "--retain", retain_,
             "MQTT and MQTT-SN: the broker keeps the message for later subscribers");
    request_.add_writing(app);
    request_.add_common(app);
    request_.add_results(app);
  }

  int run(Context& context) override {
    auto request = request_.make(context, Method::post);
    if (!request) return context.fail(request.error());
    if (lines_ && value_option_.given()) {
      return context.fail(make_error(Errc::usage,
                                     "--lines reads the messages from standard input; VALUE does not "
                                     "go with it"));
    }
    auto targets = resolve_targets(context, {target_}, {});
    if (!targets) return context.fail(targets.error());
    if (const int refused = prepare_targets(context, "publish", *targets); refused != kDone) return refused;
    ResultPrinter printer(context, request_, request->method, false);
    if (auto checked = printer.check(); !checked) return fail_unsent(context, checked.error(), *targets);
    if (lines_) return LineRun(context, std::move(targets->front()), std::move(*request), printer).run();
    auto value = read_value(value_);
    if (!value) return fail_unsent(context, value.error(), *targets);
    request->payload = std::move(*value);
    return RequestRun(context, std::move(*targets), std::move(*request), printer, 1).run();
  }

 private:
  std::string target_, value_, qos_;
  bool lines_ = false, retain_ = false;
  OptionHandle value_option_;
  RequestOptions request_;
};

}  // namespace

std::unique_ptr<Command> make_publish_command() { return std::make_unique<PublishCommand>(); }

}  // namespace aiot::cli
