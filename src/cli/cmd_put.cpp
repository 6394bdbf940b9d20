#include "cli/write_command.h"

namespace aiot::cli {

namespace {

class PutCommand final : public WriteCommand {
 public:
  PutCommand() : WriteCommand(Method::put, true) {}

  [[nodiscard]] CommandHelp help() const override {
    return {
        "URI [VALUE]",
        "Writes VALUE to a resource. The value is sent byte for byte: the argument as it stands, - for "
        "standard input, @FILE for a file; without one the payload is empty. A payload in the node's answer "
        "is printed, an empty one prints nothing; through a broker a put prints nothing, and --json shows "
        "the "
        "value that stands there now.\n\n"
        "On mqtt, mqtts and mqttsn it publishes a retained message at QoS 1, which is done when the broker "
        "has "
        "acknowledged it.\n\n"
        "A write succeeds when the node confirmed it. A failed one says in error.outcome whether nothing was "
        "sent (not_sent), the node refused (rejected) or it may have taken effect (unknown); aiot never "
        "repeats an unknown write by itself.",
        {{"aiot put coap://[fd00::1]/led 1", "a text"},
         {"aiot put coap://192.0.2.7/offset -- -5", "-- ends options; here it is not needed, -5 is a value"},
         {"aiot put --content-format json coap://192.0.2.7/config @config.json", "a file"},
         {"aiot put --if-match 3a7f coap://192.0.2.7/config @config.json", "only if unchanged"},
         {"aiot put mqtt://192.0.2.1/node/n1/led 1", "a retained message"},
         {"aiot put --broker ws://127.0.0.1:8000 n1/led 0", "through a broker"}},
        {"aiot-get(1)", "aiot-post(1)", "aiot-uri(7)"}};
  }
};

}  // namespace

std::unique_ptr<Command> make_put_command() { return std::make_unique<PutCommand>(); }

}  // namespace aiot::cli
