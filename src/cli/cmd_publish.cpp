#include "cli/command.h"
#include "cli/context.h"
#include "cli/exit_status.h"
#include "cli/files.h"
#include "cli/line_run.h"
#include "cli/mqtt_options.h"
#include "cli/options.h"
#include "cli/request_options.h"
#include "cli/request_run.h"
#include "cli/result_printer.h"

namespace aiot::cli {

namespace {

class PublishCommand final : public Command {
 public:
  [[nodiscard]] CommandHelp help() const override {
    return {
        "URI [VALUE]",
        "Publishes a message. On coap and coap+tcp it is a POST. VALUE is as for put: the argument, - for "
        "standard input, @FILE for a file, none for an empty message. On mqtt, mqtts and mqttsn it is an "
        "MQTT "
        "message, at QoS 0 unless --qos says otherwise, and all after the host's slash is its topic.\n\n"
        "With --lines each line of standard input is a message of its own, without its LF or CRLF, sent in "
        "order. On mqtt and mqtts many are on their way at once; a connection that is lost is made again, "
        "and at "
        "QoS 1 and 2 what was not acknowledged is sent again, until --timeout has passed without a "
        "connection or "
        "an acknowledgement. Elsewhere the next line leaves when the last is acknowledged. At the end, and "
        "when a "
        "signal ends it, a line on stderr says how many were read, sent, acknowledged and failed; exit 0 "
        "says "
        "that all were acknowledged (at QoS 0: handed over), 8 that some were not.\n\n"
        "Brokers of aiot are refused: aiot put writes to a node through one.",
        {{"aiot publish coap://[::1]/server temperature:23", "one message"},
         {"aiot publish --qos 1 --retain mqtt://192.0.2.1/node/n1/led 1", "the broker keeps it"},
         {"aiot publish --user-property unit=C --message-expiry 1h mqtt://192.0.2.1/t 23", "MQTT 5"},
         {"sensor | aiot publish --lines --qos 1 mqtts://broker.example/t", "none is lost"},
         {"sensor | aiot publish --lines coap://192.0.2.1/server", "one a line, as they come"}},
        {"aiot-post(1)", "aiot-uri(7)"}};
  }

  void configure(CLI::App& app) override {
    add_argument(app, "URI", target_, "where to", true);
    value_option_ = add_argument(app, "VALUE", value_,
                                 "the message: a text, - for standard input, @FILE for a file", false);
    add_flag(app, "--lines", lines_, "publish each line of standard input as a message");
    request_.add_qos(app);
    add_flag(app, "--retain", retain_,
             "MQTT and MQTT-SN: the broker keeps the message for later subscribers");
    message_.configure(app);
    request_.add_writing(app);
    request_.add_common(app);
    request_.add_results(app);
  }

  int run(Context& context) override {
    auto request = request_.make(context, Method::post);
    if (!request) return context.fail(request.error());
    request->retain = retain_;
    if (auto applied = message_.apply(*request); !applied) return context.fail(applied.error());
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
  std::string target_, value_;
  bool lines_ = false, retain_ = false;
  OptionHandle value_option_;
  MqttMessageOptions message_;
  RequestOptions request_;
};

}  // namespace

std::unique_ptr<Command> make_publish_command() { return std::make_unique<PublishCommand>(); }

}  // namespace aiot::cli
